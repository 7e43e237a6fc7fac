/* Does the POSIX table do what io.h says on a real file system, and answer every refusal with its
 * -errno? */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/io.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define PATH_BYTES 256
#define NAMES_MAX 16

static const struct io *const io = &io_posix;
static char directory[PATH_BYTES];
static char path[PATH_BYTES + 16];
static char path_other[PATH_BYTES + 16];

static struct {
    char names[NAMES_MAX][64];
    int count;
    int stop_after;
} visited;

static int visit(void *visitor, const char *name) {
    assert_ptr_equal(visitor, &visited);
    assert_true(visited.count < NAMES_MAX);
    (void)snprintf(visited.names[visited.count++], sizeof visited.names[0], "%s", name);
    return visited.count == visited.stop_after ? 42 : 0;
}

static int set_up(void **unused) {
    const char *base = getenv("TMPDIR");

    (void)unused;
    (void)snprintf(directory, sizeof directory, "%s/cellar-io-XXXXXX", base ? base : "/tmp");
    if (mkdtemp(directory) == NULL) {
        return -1;
    }
    (void)snprintf(path, sizeof path, "%s/file", directory);
    (void)snprintf(path_other, sizeof path_other, "%s/other", directory);
    memset(&visited, 0, sizeof visited);
    return 0;
}

static int tear_down(void **unused) {
    (void)unused;
    (void)unlink(path);
    (void)rmdir(path);
    (void)unlink(path_other);
    (void)rmdir(path_other);
    return rmdir(directory);
}

static int create(void) {
    int file = io->open(io->context, path, O_RDWR | O_CREAT);

    assert_true(file >= 0);
    return file;
}

static void test_open(void **unused) {
    struct stat status;
    mode_t mask = umask(0);

    (void)unused;
    assert_int_equal(io->open(io->context, path, O_RDWR), -ENOENT);
    int file = io->open(io->context, path, O_RDWR | O_CREAT | O_EXCL);
    (void)umask(mask);
    assert_true(file >= 0);
    assert_int_equal(fcntl(file, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_mode & 07777, 0640);
    assert_int_equal(io->open(io->context, path, O_RDWR | O_CREAT | O_EXCL), -EEXIST);
    assert_int_equal(io->open(io->context, directory, O_RDWR), -EISDIR);
    assert_int_equal(io->close(io->context, file), 0);
    assert_int_equal(io->close(io->context, file), -EBADF);
}

static void test_write_read_size_truncate(void **unused) {
    char text[32] = "";

    (void)unused;
    int file = create();
    assert_int_equal(io->size(io->context, file), 0);
    assert_int_equal(io->pwrite(io->context, file, "on hand", 7, 100), 7);
    assert_int_equal(io->fdatasync(io->context, file), 0);
    assert_int_equal(io->size(io->context, file), 107);
    assert_int_equal(io->pread(io->context, file, text, sizeof text, 98), 9);
    assert_memory_equal(text, "\0\0on hand", 9);
    assert_int_equal(io->truncate(io->context, file, 102), 0);
    assert_int_equal(io->pread(io->context, file, text, sizeof text, 100), 2);
    assert_int_equal(io->pread(io->context, file, text, sizeof text, 102), 0);
    assert_int_equal(io->truncate(io->context, file, 4096), 0);
    assert_int_equal(io->size(io->context, file), 4096);
    assert_int_equal(io->close(io->context, file), 0);
}

static void test_refusals_of_a_closed_file(void **unused) {
    char byte = 0;

    (void)unused;
    assert_int_equal(io->pread(io->context, -1, &byte, 1, 0), -EBADF);
    assert_int_equal(io->pwrite(io->context, -1, &byte, 1, 0), -EBADF);
    assert_int_equal(io->fdatasync(io->context, -1), -EBADF);
    assert_int_equal(io->truncate(io->context, -1, 0), -EBADF);
    assert_int_equal(io->size(io->context, -1), -EBADF);
    assert_int_equal(io->lock(io->context, -1), -EBADF);
}

static void test_offsets_beyond_a_file(void **unused) {
    char byte = 0;

    (void)unused;
    int file = create();
    assert_int_equal(io->pread(io->context, file, &byte, 1, UINT64_MAX), -EINVAL);
    assert_int_equal(io->pwrite(io->context, file, &byte, 1, UINT64_MAX), -EINVAL);
    assert_int_equal(io->truncate(io->context, file, UINT64_MAX), -EINVAL);
    assert_int_equal(io->close(io->context, file), 0);
}

/* In a child with a limit of 4096 bytes a file. Returns the number of the check that fails. */
static int write_to_the_limit(void) {
    static const char bytes[8192];
    struct rlimit limit = {.rlim_cur = 4096, .rlim_max = 4096};
    int file = io->open(io->context, path, O_RDWR | O_CREAT);

    (void)signal(SIGXFSZ, SIG_IGN);
    if (setrlimit(RLIMIT_FSIZE, &limit) != 0) {
        return 1;
    }
    if (io->pwrite(io->context, file, bytes, sizeof bytes, 0) != 4096) {
        return 2;
    }
    if (io->pwrite(io->context, file, bytes, sizeof bytes, 4096) != -EFBIG) {
        return 3;
    }
    return io_write_all(io, file, bytes, sizeof bytes, 0) == -EFBIG ? 0 : 4;
}

/* The exit status of a child that runs the check. */
static int in_child(int (*check)(void)) {
    int status = -1;
    pid_t child = fork();

    if (child == 0) {
        _exit(check());
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void test_short_writes_are_passed_on(void **unused) {
    (void)unused;
    assert_int_equal(in_child(write_to_the_limit), 0);
}

static void test_rename_and_unlink(void **unused) {
    (void)unused;
    assert_int_equal(io->rename(io->context, path, path_other), -ENOENT);
    assert_int_equal(io->unlink(io->context, path), -ENOENT);
    assert_int_equal(io->close(io->context, create()), 0);
    assert_int_equal(io->rename(io->context, path, path_other), 0);
    assert_int_equal(io->open(io->context, path, O_RDONLY), -ENOENT);
    assert_int_equal(io->unlink(io->context, path_other), 0);
    assert_int_equal(io->open(io->context, path_other, O_RDONLY), -ENOENT);
}

static void test_directories(void **unused) {
    (void)unused;
    assert_int_equal(io->sync_directory(io->context, path), -ENOENT);
    assert_int_equal(io->make_directory(io->context, path), 0);
    assert_int_equal(io->make_directory(io->context, path), -EEXIST);
    assert_int_equal(io->sync_directory(io->context, path), 0);
    int file = io->open(io->context, path_other, O_RDWR | O_CREAT);
    assert_int_equal(io->close(io->context, file), 0);
    assert_int_equal(io->sync_directory(io->context, path_other), -ENOTDIR);
}

static void test_list(void **unused) {
    (void)unused;
    assert_int_equal(io->list(io->context, path, visit, &visited), -ENOENT);
    assert_int_equal(io->list(io->context, directory, visit, &visited), 0);
    assert_int_equal(visited.count, 0);
    assert_int_equal(io->close(io->context, create()), 0);
    assert_int_equal(io->make_directory(io->context, path_other), 0);
    assert_int_equal(io->list(io->context, directory, visit, &visited), 0);
    assert_int_equal(visited.count, 2);
    int first_is_file = strcmp(visited.names[0], "file") == 0;
    assert_string_equal(visited.names[!first_is_file], "file");
    assert_string_equal(visited.names[first_is_file], "other");
    visited.count = 0;
    visited.stop_after = 1;
    assert_int_equal(io->list(io->context, directory, visit, &visited), 42);
    assert_int_equal(visited.count, 1);
}

static void test_lock_refuses_a_second_handle(void **unused) {
    (void)unused;
    int first = create();
    int second = create();
    assert_int_equal(io->lock(io->context, first), 0);
    /* Its own lock again is no conflict. */
    assert_int_equal(io->lock(io->context, first), 0);
    assert_int_equal(io->lock(io->context, second), -EWOULDBLOCK);
    /* Closing another handle of the file must not drop the lock, as it would a lock of POSIX. */
    assert_int_equal(io->close(io->context, second), 0);
    second = create();
    assert_int_equal(io->lock(io->context, second), -EWOULDBLOCK);
    assert_int_equal(io->close(io->context, first), 0);
    assert_int_equal(io->lock(io->context, second), 0);
    assert_int_equal(io->close(io->context, second), 0);
}

static int child_can_lock(void) {
    int file = io->open(io->context, path, O_RDWR);
    int status = io->lock(io->context, file);

    return status == 0 ? 1 : status == -EWOULDBLOCK ? 0 : 2;
}

static void test_lock_refuses_another_process(void **unused) {
    (void)unused;
    int file = create();
    assert_int_equal(in_child(child_can_lock), 1);
    assert_int_equal(io->lock(io->context, file), 0);
    assert_int_equal(in_child(child_can_lock), 0);
    assert_int_equal(io->close(io->context, file), 0);
    assert_int_equal(in_child(child_can_lock), 1);
}

static void test_free_bytes(void **unused) {
    (void)unused;
    assert_true(io->free_bytes(io->context, directory) > 0);
    assert_int_equal(io->free_bytes(io->context, path), -ENOENT);
}

#define IN_DIRECTORY(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        IN_DIRECTORY(test_open),
        IN_DIRECTORY(test_write_read_size_truncate),
        IN_DIRECTORY(test_refusals_of_a_closed_file),
        IN_DIRECTORY(test_offsets_beyond_a_file),
        IN_DIRECTORY(test_short_writes_are_passed_on),
        IN_DIRECTORY(test_rename_and_unlink),
        IN_DIRECTORY(test_directories),
        IN_DIRECTORY(test_list),
        IN_DIRECTORY(test_lock_refuses_a_second_handle),
        IN_DIRECTORY(test_lock_refuses_another_process),
        IN_DIRECTORY(test_free_bytes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
