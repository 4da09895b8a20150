// Memory that a GPU would have, and page-locked memory. All of it lies before a page that must not be touched, and what was
// freed is never given out again: a kernel that goes too far, or comes too late, stops the process.

#pragma once

#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>

enum Kind { DEVICE, PINNED };

struct Allocation {
  uint8_t* start;
  size_t n_bytes;
  Kind kind;
  // The context that it was allocated in.
  const void* owner;
  bool is_live;
};

// By address.
static std::map<uintptr_t, Allocation> allocations;
// Of each kind.
static size_t limit_bytes[2] = {SIZE_MAX, SIZE_MAX};
static size_t live_bytes[2] = {0, 0};

[[noreturn]] static void stop(const char* what, const char* why) {
  fprintf(stderr, "fake driver: %s: %s\n", what, why);
  fflush(stderr);
  _exit(86);
}

static size_t count_live(Kind kind) {
  size_t n_live = 0;
  for (const auto& [at, found] : allocations) n_live += found.is_live && found.kind == kind;
  return n_live;
}

static size_t page_bytes() { return (size_t)sysconf(_SC_PAGESIZE); }

// Where the mapping of an allocation begins, and how long it is with the page behind it.
static std::pair<uint8_t*, size_t> mapping_of(const Allocation& allocation) {
  size_t page = page_bytes();
  auto start = (uintptr_t)allocation.start / page * page;
  auto end = ((uintptr_t)allocation.start + allocation.n_bytes + page - 1) / page * page + page;
  return {(uint8_t*)start, end - start};
}

// Nothing if there is not as much left. What is given is full of bytes that are no sensible number of any type.
static void* allocate(size_t n_bytes, Kind kind, const void* owner) {
  if (n_bytes == 0) stop("allocating", "no bytes at all, which the driver refuses");
  if (n_bytes > limit_bytes[kind] || live_bytes[kind] > limit_bytes[kind] - n_bytes) return nullptr;
  size_t page = page_bytes(), whole = (n_bytes + 7) / 8 * 8;
  size_t mapped = (whole + page - 1) / page * page;
  void* base = mmap(nullptr, mapped + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (base == MAP_FAILED) return nullptr;
  mprotect((uint8_t*)base + mapped, page, PROT_NONE);
  auto* start = (uint8_t*)base + mapped - whole;
  memset(start, 0xFF, whole);
  allocations[(uintptr_t)start] = {start, n_bytes, kind, owner, true};
  live_bytes[kind] += n_bytes;
  return start;
}

static void release(const void* start, Kind kind) {
  auto found = allocations.find((uintptr_t)start);
  if (found == allocations.end()) stop("freeing", "this was never allocated");
  Allocation& allocation = found->second;
  if (!allocation.is_live) stop("freeing", "this was freed before");
  if (allocation.kind != kind) stop("freeing", "this is memory of the other kind");
  allocation.is_live = false;
  live_bytes[kind] -= allocation.n_bytes;
  auto [base, mapped] = mapping_of(allocation);
  mmap(base, mapped, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0);
}

// The allocation in which an address lies, if it does in one.
static const Allocation* find(const void* at) {
  auto next = allocations.upper_bound((uintptr_t)at);
  if (next == allocations.begin()) return nullptr;
  const Allocation& found = std::prev(next)->second;
  return (uintptr_t)at < (uintptr_t)found.start + found.n_bytes ? &found : nullptr;
}

static void check_within(const char* what, const Allocation& found, const void* at, size_t n_bytes) {
  if (!found.is_live) stop(what, "this memory was freed");
  size_t offset = (uintptr_t)at - (uintptr_t)found.start;
  if (n_bytes > found.n_bytes - offset) stop(what, "it goes beyond the end of the memory");
}

// Bytes that have to lie in one piece of the GPU's memory, of the context that works on them.
static void check_device(const char* what, const void* at, size_t n_bytes, const void* context) {
  const Allocation* found = find(at);
  if (!found || found->kind != DEVICE) stop(what, "the address is none of the GPU's memory");
  if (found->owner != context) stop(what, "the memory is another context's");
  check_within(what, *found, at, n_bytes);
}

// Whether bytes of this machine are page-locked: then they are read and written late.
static bool is_pinned(const char* what, const void* at, size_t n_bytes) {
  const Allocation* found = find(at);
  if (!found) return false;
  if (found->kind != PINNED) stop(what, "an address of the GPU stands where one of this machine should");
  check_within(what, *found, at, n_bytes);
  return true;
}
