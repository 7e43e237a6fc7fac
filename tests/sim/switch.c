/* The registers that a call preserves, pushed onto one stack and popped from another. Floating
 * point control words are the same for all, so they stay as they are. */
#include "sim/switch.h"

#include <stdint.h>
#include <string.h>

#if defined(__x86_64__)
#define SWITCH_WORDS 7 /* six registers and the return address */
#define SWITCH_RETURN 6
#define SWITCH_SKEW 8 /* a function expects its stack 8 bytes off a multiple of 16 */
__asm__(".text\n"
        ".globl switch_stacks\n"
        ".hidden switch_stacks\n"
        ".type switch_stacks, @function\n"
        "switch_stacks:\n"
        "    pushq %rbp\n"
        "    pushq %rbx\n"
        "    pushq %r12\n"
        "    pushq %r13\n"
        "    pushq %r14\n"
        "    pushq %r15\n"
        "    movq %rsp, (%rdi)\n"
        "    movq %rsi, %rsp\n"
        "    popq %r15\n"
        "    popq %r14\n"
        "    popq %r13\n"
        "    popq %r12\n"
        "    popq %rbx\n"
        "    popq %rbp\n"
        "    ret\n"
        ".size switch_stacks, . - switch_stacks\n"
        ".section .note.GNU-stack,\"\",@progbits\n"
        ".text\n");
#elif defined(__aarch64__)
#define SWITCH_WORDS 20 /* x19 to x30, d8 to d15 */
#define SWITCH_RETURN 11
#define SWITCH_SKEW 0
__asm__(".text\n"
        ".globl switch_stacks\n"
        ".hidden switch_stacks\n"
        ".type switch_stacks, %function\n"
        "switch_stacks:\n"
        "    sub sp, sp, #160\n"
        "    stp x19, x20, [sp]\n"
        "    stp x21, x22, [sp, #16]\n"
        "    stp x23, x24, [sp, #32]\n"
        "    stp x25, x26, [sp, #48]\n"
        "    stp x27, x28, [sp, #64]\n"
        "    stp x29, x30, [sp, #80]\n"
        "    stp d8, d9, [sp, #96]\n"
        "    stp d10, d11, [sp, #112]\n"
        "    stp d12, d13, [sp, #128]\n"
        "    stp d14, d15, [sp, #144]\n"
        "    mov x9, sp\n"
        "    str x9, [x0]\n"
        "    mov sp, x1\n"
        "    ldp x19, x20, [sp]\n"
        "    ldp x21, x22, [sp, #16]\n"
        "    ldp x23, x24, [sp, #32]\n"
        "    ldp x25, x26, [sp, #48]\n"
        "    ldp x27, x28, [sp, #64]\n"
        "    ldp x29, x30, [sp, #80]\n"
        "    ldp d8, d9, [sp, #96]\n"
        "    ldp d10, d11, [sp, #112]\n"
        "    ldp d12, d13, [sp, #128]\n"
        "    ldp d14, d15, [sp, #144]\n"
        "    add sp, sp, #160\n"
        "    ret\n"
        ".size switch_stacks, . - switch_stacks\n"
        ".section .note.GNU-stack,\"\",%progbits\n"
        ".text\n");
#else
#error "no switch for this machine"
#endif

void *switch_prepare(void *stack, size_t bytes, void (*run)(void)) {
    uintptr_t top = ((uintptr_t)stack + bytes) & ~(uintptr_t)15;
    uint64_t *words = (uint64_t *)(top - SWITCH_SKEW - 16) - SWITCH_WORDS;

    /* 16 bytes above stay free; the return address of `run` is nobody's. */
    memset(words, 0, SWITCH_WORDS * sizeof *words);
    words[SWITCH_RETURN] = (uint64_t)(uintptr_t)run;
    return words;
}
