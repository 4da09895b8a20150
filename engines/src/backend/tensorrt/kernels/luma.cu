// Luma of a frame at reduced size: the twin of `stabilizer/luma.rs`.

#include "kernel.cuh"

// What reading is about.
struct Luma {
  Frame frame;
  // Pixels of the frame along each side of a pixel of the level.
  int step;
  // Code of black times `step`, and what makes 255 of the sum of a white square.
  float black, scale;
  // Of red, green and blue in luma.
  float weights[3];
  Level level;
};

// Luma code of a pixel, 0 to 255.
INLINE float luma_of(const Luma& job, int x, int y) {
  const Frame& frame = job.frame;
  if (frame.pixels == PACKED) {
    float luma = 0.0f;
    for (int channel = 0; channel < 3; ++channel)
      luma += job.weights[channel] * load_sample(frame, 0, packed_idx(frame, x, channel), y);
    return luma;
  }
  if (frame.pixels == P010) {
    const u8* at = sample_at(frame, 0, x, y);
    return (float)(at[0] | at[1] << 8) * (1.0f / 256.0f);
  }
  return load_sample(frame, 0, x, y);
}

// Fills a pixel of the level or its border with the mean of a square. Places begin in the border.
KERNEL(luma, Luma) {
  int x = place_x() - BORDER, y = place_y() - BORDER;
  const Level& level = job.level;
  if (x >= level.width + BORDER || y >= level.height + BORDER) return;
  int left = clamp(x, 0, level.width - 1) * job.step, top = clamp(y, 0, level.height - 1) * job.step;
  float sum = 0.0f;
  for (int i = 0; i < job.step; ++i) {
    float column = -job.black;
    for (int j = 0; j < job.step; ++j) column += luma_of(job, left + i, top + j);
    sum += column;
  }
  *level_at(level, x, y) = sum * job.scale;
}
