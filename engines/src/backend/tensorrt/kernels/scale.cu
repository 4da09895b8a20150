// Pictures between the frame's size and the network's: the twin of `backend/cpu/scale.rs`.
//
// A filter that is separable runs along rows first, then along columns.

#include "kernel.cuh"

// Which pixels of a row or column make one of another length.
struct Taps {
  // Of every pixel made: the first pixel it is made of, and their number.
  const int* spans;
  // Weight i of pixel p at i * n_px + p.
  const float* weights;
  // Pixels made.
  int n_px;
};

// What scaling is about.
struct Scale {
  // Its window is scaled.
  Picture from;
  // Rows along which `from` is scaled already: planes of floats, as wide as the window of `to`, as high as that of `from`.
  float* between;
  // Its window is filled, and all round it by folding reflection.
  Picture to;
  Taps across, down;
};

INLINE u64 between_idx(const Scale& job, int x, int y, int channel) {
  return ((u64)channel * job.from.window_height + y) * job.to.window_width + x;
}

// Scales along a row. A place is a column of `to` and a row of `from`, each of the window.
KERNEL(scale_rows, Scale) {
  int x = place_x(), y = place_y();
  if (x >= job.to.window_width || y >= job.from.window_height) return;
  int first = job.across.spans[2 * x], n_taps = job.across.spans[2 * x + 1];
  float sums[3] = {0.0f, 0.0f, 0.0f};
  for (int i = 0; i < n_taps; ++i) {
    float weight = job.across.weights[(u64)i * job.across.n_px + x];
    for (int channel = 0; channel < 3; ++channel)
      sums[channel] += weight * window_value(job.from, first + i, y, channel);
  }
  for (int channel = 0; channel < 3; ++channel) job.between[between_idx(job, x, y, channel)] = sums[channel];
}

// Scales along a column. A place is a pixel of the whole of `to`.
KERNEL(scale_columns, Scale) {
  int x = place_x(), y = place_y();
  const Picture& to = job.to;
  if (x >= to.width || y >= to.height) return;
  int from_x = fold(x - to.left, to.window_width), row = fold(y - to.top, to.window_height);
  int first = job.down.spans[2 * row], n_taps = job.down.spans[2 * row + 1];
  float sums[3] = {0.0f, 0.0f, 0.0f};
  for (int i = 0; i < n_taps; ++i) {
    float weight = job.down.weights[(u64)i * job.down.n_px + row];
    for (int channel = 0; channel < 3; ++channel)
      sums[channel] += weight * job.between[between_idx(job, from_x, first + i, channel)];
  }
  for (int channel = 0; channel < 3; ++channel)
    store_value(to.data, picture_idx(to, x, y, channel), to.is_half, sums[channel]);
}
