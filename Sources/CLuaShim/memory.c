// The allocator of a state: the memory cap of the script, and a pool for small blocks. A streaming script makes and drops a
// string for each delta; malloc and free take about 150 instructions for such a block, the pool about 12.

#include "vm.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#if defined(__SANITIZE_ADDRESS__)
#define MR_POOLS 0
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
// The sanitizer tracks blocks of malloc only.
#define MR_POOLS 0
#endif
#endif
#ifndef MR_POOLS
#define MR_POOLS 1
#endif

// ------------------------------------------------------------------------------------------------ pool

// Bytes of the arena. Freed blocks serve only blocks of the same size class, so up to this much can be unused memory beyond
// the cap. When the arena is full, malloc is used. Untouched pages cost nothing.
enum { arena_size = 4 << 20 };

struct mr_block {
    struct mr_block *next;
};

void mr_open_pool(struct mr_pool *pool) { pool->arena = MR_POOLS ? malloc(arena_size) : NULL; }

void mr_close_pool(struct mr_pool *pool) {
    free(pool->arena);
    *pool = (struct mr_pool){0};
}

static inline bool is_pooled(const struct mr_pool *pool, const void *block) {
    return pool->arena != NULL && (uintptr_t)block - (uintptr_t)pool->arena < arena_size;
}

// Index of the free list for blocks of this size, which is above 0.
static inline size_t kind(size_t size) { return (size - 1) / MR_GRAIN; }

static inline void *take(struct mr_pool *pool, size_t size) {
    if (size > MR_LARGEST_SMALL) return malloc(size);
    size_t of = kind(size);
    struct mr_block *block = pool->unused[of];
    if (block != NULL) {
        pool->unused[of] = block->next;
        return block;
    }
    size_t whole = (of + 1) * MR_GRAIN;
    if (pool->arena == NULL || arena_size - pool->fresh < whole) return malloc(size);
    pool->fresh += whole;
    return pool->arena + pool->fresh - whole;
}

static inline void give(struct mr_pool *pool, void *memory, size_t size) {
    if (!is_pooled(pool, memory)) {
        free(memory);
        return;
    }
    struct mr_block *block = memory;
    block->next = pool->unused[kind(size)];
    pool->unused[kind(size)] = block;
}

// realloc for a block that is not NULL and a different size.
static void *move(struct mr_pool *pool, void *block, size_t old_size, size_t new_size) {
    if (!is_pooled(pool, block)) return realloc(block, new_size);
    if (kind(old_size) == kind(new_size)) return block;
    void *moved = take(pool, new_size);
    if (moved == NULL) return NULL;
    memcpy(moved, block, old_size < new_size ? old_size : new_size);
    give(pool, block, old_size);
    return moved;
}

// ------------------------------------------------------------------------------------------- the allocator

// True if an allocation of `more` bytes by a script must fail.
static bool is_refused(mr_vm *vm, size_t more) {
    // After a failure Lua collects garbage and tries once more. The second try must fail too.
    if (vm->fail_in == -1) return vm->fail_in = 0, true;
    if (vm->fail_in > 0 && --vm->fail_in == 0) return vm->fail_in = -1, true;
    return vm->memory_limit != 0 && vm->memory + more > vm->memory_limit;
}

void *mr_allocate(void *ud, void *block, size_t old_size, size_t new_size) {
    mr_vm *vm = ud;
    // For a new block, old_size is the kind of object, not a size (lua_Alloc in the manual).
    if (block == NULL) old_size = 0;
    if (new_size == 0) {
        give(&vm->pool, block, old_size);
        vm->memory -= old_size;
        return NULL;
    }
    if (new_size > old_size && vm->host == 0 && is_refused(vm, new_size - old_size)) return NULL;
    void *moved = block == NULL ? take(&vm->pool, new_size) : move(&vm->pool, block, old_size, new_size);
    if (moved == NULL) {
        // A shrink must never fail. A push by the host must not fail either, because nothing would catch the error.
        if (new_size <= old_size) return vm->memory += new_size - old_size, block;
        if (vm->host == 0) return NULL;
        fputs("moonrill: the system is out of memory\n", stderr);
        abort();
    }
    vm->memory += new_size - old_size;
    return moved;
}

size_t mr_vm_memory(const mr_vm *vm) { return vm->memory; }

void mr_vm_fail_allocation(mr_vm *vm, long nth) { vm->fail_in = nth; }
