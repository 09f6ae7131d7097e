// SPDX-License-Identifier: LGPL-2.1-or-later
//
// fiber.cpp - stacks and switches. swapcontext() would save the signal mask,
// with a system call each time; that is left to machines nobody tests on.

#include "tests/cuda_host/fiber.h"

#include <sys/mman.h>

#include <cstdint>
#include <cstdlib>
#include <vector>

#if !defined(__SANITIZE_ADDRESS__) && defined(__has_feature)
#if __has_feature(address_sanitizer)
#define __SANITIZE_ADDRESS__ 1
#endif
#endif

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif

namespace
{

const size_t stack_size = 128 << 10; // a kernel's registers and arrays
const size_t guard_size = 64 << 10;  // below, for any page size

// Where pe_fiber_resume() was called.
void *caller;
#if defined(__SANITIZE_ADDRESS__)
void *caller_fake_stack;
const void *caller_stack;
size_t caller_stack_size;
#endif

std::vector<unsigned char *> free_stacks;

unsigned char *
get_stack()
{
    if (!free_stacks.empty()) {
        unsigned char *stack = free_stacks.back();
        free_stacks.pop_back();
        return stack;
    }
    void *p = mmap(nullptr, guard_size + stack_size, PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED || mprotect(p, guard_size, PROT_NONE) != 0)
        abort();
    return (unsigned char *)p + guard_size;
}

} // namespace

#if defined(__x86_64__)

// Saves what a function must preserve on the stack, then the stack pointer to
// *from, and continues with that of `to`. Source: System V ABI, AMD64.
extern "C" void pe_fiber_swap(void **from, void *to);
__asm__(".text\n"
        ".p2align 4\n"
        ".type pe_fiber_swap, @function\n"
        "pe_fiber_swap:\n"
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
        ".size pe_fiber_swap, . - pe_fiber_swap\n");

static void *
first_state(unsigned char *stack, void (*entry)(void))
{
    // Six registers, the address that `ret` takes, and where entry would
    // return to, which leaves the stack aligned as after a call.
    uintptr_t *sp = (uintptr_t *)(stack + stack_size) - 8;
    for (int i = 0; i < 8; i++)
        sp[i] = 0;
    sp[6] = (uintptr_t)entry;
    return sp;
}

static void
swap(void **from, void *to)
{
    pe_fiber_swap(from, to);
}

#else

#include <ucontext.h>

static void *
first_state(unsigned char *stack, void (*entry)(void))
{
    ucontext_t *c = (ucontext_t *)stack;
    getcontext(c);
    c->uc_stack.ss_sp = stack + sizeof *c;
    c->uc_stack.ss_size = stack_size - sizeof *c;
    c->uc_link = nullptr;
    makecontext(c, entry, 0);
    return c;
}

static void
swap(void **from, void *to)
{
    ucontext_t here;
    *from = &here;
    swapcontext(&here, (ucontext_t *)to);
}

#endif

void
pe_fiber_init(PeFiber *fiber, void (*entry)(void))
{
    fiber->stack = get_stack();
    fiber->fake_stack = nullptr;
#if defined(__SANITIZE_ADDRESS__)
    // The last fiber on it has never returned from its functions.
    __asan_unpoison_memory_region(fiber->stack, stack_size);
#endif
    fiber->state = first_state(fiber->stack, entry);
}

void
pe_fiber_clear(PeFiber *fiber)
{
    free_stacks.push_back(fiber->stack);
    fiber->stack = nullptr;
}

void
pe_fiber_resume(PeFiber *fiber)
{
#if defined(__SANITIZE_ADDRESS__)
    __sanitizer_start_switch_fiber(&caller_fake_stack, fiber->stack,
                                   stack_size);
#endif
    swap(&caller, fiber->state);
#if defined(__SANITIZE_ADDRESS__)
    __sanitizer_finish_switch_fiber(caller_fake_stack, nullptr, nullptr);
#endif
}

void
pe_fiber_begin(void)
{
#if defined(__SANITIZE_ADDRESS__)
    __sanitizer_finish_switch_fiber(nullptr, &caller_stack, &caller_stack_size);
#endif
}

void
pe_fiber_suspend(PeFiber *self, bool last)
{
#if defined(__SANITIZE_ADDRESS__)
    __sanitizer_start_switch_fiber(last ? nullptr : &self->fake_stack,
                                   caller_stack, caller_stack_size);
#else
    (void)last;
#endif
    swap(&self->state, caller);
#if defined(__SANITIZE_ADDRESS__)
    // It may be another thread that goes on with it.
    __sanitizer_finish_switch_fiber(self->fake_stack, &caller_stack,
                                    &caller_stack_size);
#endif
}
