// What all kernels share, and what lets them run on a processor as well, where tests compare them with their CPU twins.
//
// A kernel is a function of a job, called once for every place of a grid: KERNEL(name, Job) { ... place_x() ... job ... }

#pragma once

#ifdef __CUDACC_RTC__

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;

#define INLINE __device__ __forceinline__
#define KERNEL(name, Job) extern "C" __global__ void name(const Job job)

INLINE int place_x() { return blockIdx.x * blockDim.x + threadIdx.x; }
INLINE int place_y() { return blockIdx.y * blockDim.y + threadIdx.y; }

INLINE float from_half(u16 half) {
  float value;
  asm("cvt.f32.f16 %0, %1;" : "=f"(value) : "h"(half));
  return value;
}

INLINE u16 to_half(float value) {
  u16 half;
  asm("cvt.rn.f16.f32 %0, %1;" : "=h"(half) : "f"(value));
  return half;
}

INLINE void add(u64* sum, u64 value) { atomicAdd(sum, value); }

// Threads that work on one thing together; a block is as wide.
static const int LANES = 32;
INLINE int lane() { return threadIdx.x; }

// What the lane that is `far` away has.
INLINE float of_lane(float value, int far) { return __shfl_xor_sync(0xffffffffu, value, far); }

#else

#include <cmath>
#include <cstdint>
#include <cstring>

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;

#define INLINE static inline
#define KERNEL(name, Job)                                         \
  static void name##_here(const Job& job);                        \
  extern "C" void name(const Job* job, u32 width, u32 height) {   \
    run_places(width, height, [job] { name##_here(*job); });      \
  }                                                               \
  static void name##_here(const Job& job)

static thread_local int here_x, here_y;
INLINE int place_x() { return here_x; }
INLINE int place_y() { return here_y; }

#ifdef WARPS
#include "warps.hpp"
#else

// Where one works after the other, one does all of a thing.
static const int LANES = 1;
INLINE int lane() { return 0; }
INLINE float of_lane(float value, int) { return value; }

template <class Work>
static void run_places(u32 width, u32 height, Work work) {
  for (here_y = 0; here_y < (int)height; ++here_y)
    for (here_x = 0; here_x < (int)width; ++here_x) work();
}

#endif

INLINE float from_half(u16 half) {
  _Float16 value;
  memcpy(&value, &half, 2);
  return value;
}

INLINE u16 to_half(float value) {
  _Float16 rounded = value;
  u16 half;
  memcpy(&half, &rounded, 2);
  return half;
}

INLINE void add(u64* sum, u64 value) { *sum += value; }

#endif

// The sum of what all lanes have. Each of them gets it, bit by bit the same.
INLINE float sum_of_lanes(float value) {
  for (int far = LANES / 2; far > 0; far /= 2) value += of_lane(value, far);
  return value;
}

INLINE int lesser(int a, int b) { return a < b ? a : b; }
INLINE int greater(int a, int b) { return a > b ? a : b; }
INLINE int clamp(int value, int low, int high) { return lesser(greater(value, low), high); }

// Not-a-number becomes the lower bound.
INLINE float clampf(float value, float low, float high) { return fminf(fmaxf(value, low), high); }

// Position within 0..n that folding reflection brings `i` to: a picture is mirrored at its border pixels, again and again.
INLINE int fold(int i, int n) {
  if (n == 1) return 0;
  int period = 2 * (n - 1);
  i %= period;
  if (i < 0) i += period;
  return i < n ? i : period - i;
}

// The nearest integer of 0 to 65535; halves go to the even one.
INLINE u16 to_u16(float value) { return (u16)rintf(clampf(value, 0.0f, 65535.0f)); }

// A value of a picture in the network's precision.
INLINE float load_value(const void* data, u64 idx, int is_half) {
  return is_half ? from_half(((const u16*)data)[idx]) : ((const float*)data)[idx];
}

INLINE void store_value(void* data, u64 idx, int is_half, float value) {
  if (is_half)
    ((u16*)data)[idx] = to_half(value);
  else
    ((float*)data)[idx] = value;
}

// How three channels lie in memory; see `Arrangement` of the CPU definitions. A history is rows of red, green and blue planes of
// 16 bits.
enum Arrangement { PLANES = 0, BLOCKS = 1, CHANNEL_BLOCKS = 2, HISTORY = 3 };

// A picture in the network's values.
struct Picture {
  void* data;
  // Of the whole picture, in pixels.
  int width, height;
  // The part of it that holds the frame.
  int left, top, window_width, window_height;
  // `Arrangement`, and pixels along a side of a block.
  int arrangement, block;
  // float16 or float32.
  int is_half;
};

// Where a value of the whole picture lies.
INLINE u64 picture_idx(const Picture& picture, int x, int y, int channel) {
  if (picture.arrangement == PLANES)
    return ((u64)channel * picture.height + y) * picture.width + x;
  if (picture.arrangement == HISTORY) return ((u64)3 * y + channel) * picture.width + x;
  int n = picture.block;
  u64 block = (u64)(y / n) * (picture.width / n) + x / n;
  int in_block = picture.arrangement == BLOCKS ? (y % n * n + x % n) * 3 + channel
                                               : (channel * n + y % n) * n + x % n;
  return block * 3 * n * n + in_block;
}

// A value of the window.
INLINE float window_value(const Picture& picture, int x, int y, int channel) {
  u64 idx = picture_idx(picture, picture.left + x, picture.top + y, channel);
  if (picture.arrangement == HISTORY) return (float)((const u16*)picture.data)[idx];
  return load_value(picture.data, idx, picture.is_half);
}

// A map between codes of a frame and values of a network; see `Affine` of the CPU definitions.
struct Affine {
  float rows[3][3];
  float offset[3];
};

INLINE float mapped(const Affine& map, int row, const float* values) {
  const float* k = map.rows[row];
  return k[0] * values[0] + k[1] * values[1] + k[2] * values[2] + map.offset[row];
}

// How samples of a frame lie in memory; see `PixelFormat` of the CPU definitions.
enum Pixels { NV12 = 0, I420 = 1, P010 = 2, PACKED = 3 };

// A frame as video delivers it. Rows may begin at any byte.
struct Frame {
  u8* planes[3];
  int strides[3];
  int width, height;
  // `Pixels`.
  int pixels;
  // Of packed pixels: their bytes, and which of them is red; blue is at two less that.
  int bytes, red;
  // A packed pixel's fourth byte is alpha.
  int has_alpha;
};

INLINE u8* sample_at(const Frame& frame, int plane, int idx, int y) {
  int bytes = frame.pixels == P010 ? 2 : 1;
  return frame.planes[plane] + (u64)y * frame.strides[plane] + idx * bytes;
}

// Code of a sample.
INLINE float load_sample(const Frame& frame, int plane, int idx, int y) {
  const u8* at = sample_at(frame, plane, idx, y);
  return (float)(frame.pixels == P010 ? (at[0] | at[1] << 8) >> 6 : at[0]);
}

// The nearest code to a value; halves go to the even one, not-a-number to 0.
INLINE void store_sample(const Frame& frame, int plane, int idx, int y, float code) {
  u8* at = sample_at(frame, plane, idx, y);
  if (frame.pixels == P010) {
    int word = (int)rintf(clampf(code, 0.0f, 1023.0f)) << 6;
    at[0] = (u8)word;
    at[1] = (u8)(word >> 8);
  } else {
    at[0] = (u8)rintf(clampf(code, 0.0f, 255.0f));
  }
}

// Code of a chroma sample; U is 0, V is 1.
INLINE float load_chroma(const Frame& frame, int which, int x, int y) {
  return frame.pixels == I420 ? load_sample(frame, 1 + which, x, y) : load_sample(frame, 1, 2 * x + which, y);
}

INLINE void store_chroma(const Frame& frame, int which, int x, int y, float code) {
  if (frame.pixels == I420)
    store_sample(frame, 1 + which, x, y, code);
  else
    store_sample(frame, 1, 2 * x + which, y, code);
}

// Which byte of its row a channel of a packed pixel is.
INLINE int packed_idx(const Frame& frame, int x, int channel) {
  return x * frame.bytes + (channel == 0 ? frame.red : channel == 1 ? 1 : 2 - frame.red);
}

// Pixels round every level that repeat its border.
static const int BORDER = 16;

// Luma at one size, from black, 0, to white, 255; see `Level` of the CPU definitions. It begins with its border.
struct Level {
  float* data;
  // Without the border.
  int width, height;
};

// A pixel, which may lie in the border.
INLINE float* level_at(const Level& level, int x, int y) {
  return level.data + (u64)(y + BORDER) * (level.width + 2 * BORDER) + x + BORDER;
}
