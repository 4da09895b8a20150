// Luma at several sizes: the twin of `stabilizer/pyramid.rs`.

#include "kernel.cuh"

// What halving is about.
struct Halve {
  Level large, small;
};

// What changing the light of all levels is about.
struct Relight {
  // All of them, with their borders.
  float* values;
  int n_values;
  // Places of a row.
  int width;
  float gain, offset;
};

// A column of four pixels, weighted 1 3 3 1.
INLINE float column_of(const Level& level, int x, int y) {
  float outer = *level_at(level, x, y) + *level_at(level, x, y + 3);
  float inner = *level_at(level, x, y + 1) + *level_at(level, x, y + 2);
  return (outer + 3.0f * inner) * (1.0f / 64.0f);
}

// Fills a pixel of the smaller level or its border. Places begin in the border.
KERNEL(halve, Halve) {
  int x = place_x() - BORDER, y = place_y() - BORDER;
  const Level& small = job.small;
  if (x >= small.width + BORDER || y >= small.height + BORDER) return;
  int left = 2 * clamp(x, 0, small.width - 1) - 1, top = 2 * clamp(y, 0, small.height - 1) - 1;
  float columns[4];
  for (int i = 0; i < 4; ++i) columns[i] = column_of(job.large, left + i, top);
  *level_at(small, x, y) = columns[0] + columns[3] + 3.0f * (columns[1] + columns[2]);
}

// Changes the light of a value.
KERNEL(relight, Relight) {
  int idx = place_y() * job.width + place_x();
  if (place_x() >= job.width || idx >= job.n_values) return;
  job.values[idx] = job.gain * job.values[idx] + job.offset;
}
