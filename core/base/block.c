// SPDX-License-Identifier: LGPL-2.1-or-later
//
// block.c - see block.h. In front of a block stands how it is freed.

#include "block.h"

#include <glib.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>

#define ALIGNMENT 64
#define MAP_FROM ((size_t)1 << 20)
// The kernel's huge pages are of 2 MiB: with fewer there is nothing to gain.
#define HUGE_FROM ((size_t)4 << 20)

typedef struct {
    void *memory;
    size_t map_size; // 0: of the heap
} Head;

G_STATIC_ASSERT(sizeof(Head) <= ALIGNMENT);

// A sanitizer watches the heap alone.
#if defined(__SANITIZE_ADDRESS__)
#define ONLY_HEAP 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(memory_sanitizer)
#define ONLY_HEAP 1
#endif
#endif
#ifndef ONLY_HEAP
#define ONLY_HEAP 0
#endif

static void *
map(size_t size)
{
    void *p = mmap(NULL, size, PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED)
        return NULL;
    if (size >= HUGE_FROM)
        madvise(p, size, MADV_HUGEPAGE);
    return p;
}

void *
pe_block_alloc(size_t size)
{
    Head head = {0};
    if (size > SIZE_MAX - ALIGNMENT)
        return NULL;
    size = MAX(size, ALIGNMENT) + ALIGNMENT;
    if (!ONLY_HEAP && size >= MAP_FROM) {
        head.memory = map(size);
        head.map_size = size;
    } else if (posix_memalign(&head.memory, ALIGNMENT, size) != 0) {
        head.memory = NULL;
    }
    if (!head.memory)
        return NULL;
    char *block = (char *)head.memory + ALIGNMENT;
    ((Head *)(void *)block)[-1] = head;
    return block;
}

void
pe_block_free(void *block)
{
    if (!block)
        return;
    Head head = ((Head *)block)[-1];
    if (head.map_size)
        munmap(head.memory, head.map_size);
    else
        free(head.memory);
}
