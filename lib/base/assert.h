/* Assertions that stay on in every build.
 *
 * An assertion states what must be true of this program whatever the host passes in; when it is
 * not, going on could turn a defect into a wrong sale, so the process stops. Bad input is never
 * answered by an assertion. */
#ifndef CELLAR_BASE_ASSERT_H
#define CELLAR_BASE_ASSERT_H

_Noreturn void assert_failed(const char *expression, const char *file, int line);

#define ASSERT(expression) ((expression) ? (void)0 : assert_failed(#expression, __FILE__, __LINE__))

#endif
