// Shown picture to frame, with `strength` and `keep-colors`: the twin of `convert/write.rs`.

#include "kernel.cuh"

// What downloading is about: a window of the frame's size.
struct Download {
  // The network's picture, planes of floats, or a history.
  Picture shown;
  // From its values to the frame's codes.
  Affine map;
  // Values of black and white, beyond which it is cut.
  float low, high;
  // The photo, of the target's format.
  Frame source;
  Frame target;
  // Share of paint; the rest is photo.
  float strength;
  int keep_colors;
  // Weights of red, green and blue in luma, by which packed pixels keep their colours.
  float luma[3];
};

INLINE float shown_value(const Download& job, int x, int y, int channel) {
  return clampf(window_value(job.shown, x, y, channel), job.low, job.high);
}

INLINE float fade(float photo, float paint, float strength) { return photo + strength * (paint - photo); }

INLINE bool needs_photo(const Download& job) { return job.keep_colors || job.strength < 1.0f; }

INLINE void store_luma(const Download& job, int x, int y, const float* values) {
  float luma = mapped(job.map, 0, values);
  if (job.strength < 1.0f) luma = fade(load_sample(job.source, 0, x, y), luma, job.strength);
  store_sample(job.target, 0, x, y, luma);
}

// Writes four pixels of a 4:2:0 frame, or what there is of them, and their chroma. A place is a chroma sample.
KERNEL(download_420, Download) {
  int chroma_x = place_x(), chroma_y = place_y();
  const Frame& source = job.source;
  int left = 2 * chroma_x, top = 2 * chroma_y;
  if (left >= source.width || top >= source.height) return;
  int n_rows = lesser(2, source.height - top);
  int before = greater(left - 1, 0), behind = lesser(left + 1, source.width - 1);
  float sums[3][3] = {{0.0f, 0.0f, 0.0f}, {0.0f, 0.0f, 0.0f}, {0.0f, 0.0f, 0.0f}};
  for (int y = top; y < top + n_rows; ++y) {
    float here[3], next[3];
    for (int channel = 0; channel < 3; ++channel) {
      here[channel] = shown_value(job, left, y, channel);
      next[channel] = shown_value(job, behind, y, channel);
      sums[0][channel] += shown_value(job, before, y, channel);
      sums[1][channel] += here[channel];
      sums[2][channel] += next[channel];
    }
    store_luma(job, left, y, here);
    if (behind > left) store_luma(job, behind, y, next);
  }
  float means[3], scale = 0.25f / (float)n_rows;
  for (int channel = 0; channel < 3; ++channel)
    means[channel] = (sums[0][channel] + 2.0f * sums[1][channel] + sums[2][channel]) * scale;
  for (int which = 0; which < 2; ++which) {
    float photo = needs_photo(job) ? load_chroma(source, which, chroma_x, chroma_y) : 0.0f;
    float chroma = job.keep_colors ? photo : mapped(job.map, 1 + which, means);
    if (!job.keep_colors && job.strength < 1.0f) chroma = fade(photo, chroma, job.strength);
    store_chroma(job.target, which, chroma_x, chroma_y, chroma);
  }
}

// Writes a packed pixel.
KERNEL(download_packed, Download) {
  int x = place_x(), y = place_y();
  const Frame& source = job.source;
  if (x >= source.width || y >= source.height) return;
  float values[3], codes[3], photo[3];
  for (int channel = 0; channel < 3; ++channel) values[channel] = shown_value(job, x, y, channel);
  for (int channel = 0; channel < 3; ++channel) codes[channel] = mapped(job.map, channel, values);
  if (needs_photo(job))
    for (int channel = 0; channel < 3; ++channel)
      photo[channel] = load_sample(source, 0, packed_idx(source, x, channel), y);
  if (job.keep_colors) {
    // One step along grey for all channels, so that chroma stays.
    float step = job.luma[0] * (codes[0] - photo[0]) + job.luma[1] * (codes[1] - photo[1]) +
                 job.luma[2] * (codes[2] - photo[2]);
    for (int channel = 0; channel < 3; ++channel) codes[channel] = photo[channel] + step;
  }
  for (int channel = 0; channel < 3; ++channel) {
    float code = needs_photo(job) ? fade(photo[channel], codes[channel], job.strength) : codes[channel];
    store_sample(job.target, 0, packed_idx(source, x, channel), y, code);
  }
  if (source.bytes == 4) {
    int alpha = 4 * x + 3;
    *sample_at(job.target, 0, alpha, y) = source.has_alpha ? *sample_at(source, 0, alpha, y) : 255;
  }
}
