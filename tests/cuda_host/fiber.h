// SPDX-License-Identifier: LGPL-2.1-or-later
//
// fiber.h - several stacks in one thread, for the emulator: a switch between
// them that costs no system call, and that AddressSanitizer understands.

#pragma once

#include <cstddef>

// A stack of its own. They are kept and used again.
struct PeFiber {
    void *state = nullptr; // what it left behind when it switched away
    unsigned char *stack = nullptr;
    void *fake_stack = nullptr; // AddressSanitizer's
};

// Give the fiber a stack on which `entry` begins at the first resume; it must
// not return.
void pe_fiber_init(PeFiber *fiber, void (*entry)(void));

// Take the stack back. It does not run, and never will.
void pe_fiber_clear(PeFiber *fiber);

// Continue the fiber until it suspends itself.
void pe_fiber_resume(PeFiber *fiber);

// To be called first on a new fiber.
void pe_fiber_begin(void);

// Go back to where the fiber that runs was resumed. `last`: never to continue.
void pe_fiber_suspend(PeFiber *self, bool last);
