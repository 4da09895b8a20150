// Painted frame and history to what is shown: the twin of `stabilizer/blend.rs`.
//
// A history is rows of red, green and blue planes of 16 bits: value (x, y) of a channel at (3 y + channel) * width + x.

#include "kernel.cuh"

// Pixels of a row that are moved together.
static const int SEGMENT = 8;
// Positions between two pixels that the history is moved by.
static const int PHASES = 32;

// What taking is about: the network's picture becomes a history.
struct Take {
  // As the network gave it.
  Picture painted;
  // The value of black, and what makes 65535 of white.
  float low, scale;
  int is_bgr;
  u16* taken;
};

// What blending is about.
struct Blend {
  // Of all histories, in pixels.
  int width, height;
  // As painted, and as shown before.
  const u16* painted;
  const u16* before;
  // Motion: planes of a value per cell.
  const float* u;
  const float* v;
  const float* share;
  // Whether anything moves in a row of cells that is kept.
  const u8* moves;
  int cells_wide, cells_high;
  // All shares of history are multiplied by this.
  float fade;
  // What history may go beyond the range of the nine pixels about it.
  float margin;
  // Blended values, not yet sharpened, as a history of floats.
  float* blended;
  // Share of history where things move, per pixel.
  float* moving;
  // What is added of four times a pixel's difference to the mean of its neighbours, where things move.
  float amount;
  // What is shown.
  u16* now;
  // Gradients are compared from this row on, on every so many.
  int first_row, every_row;
  // Sums of gradients of moving paint, as painted and as shown.
  u64* sums;
};

INLINE u64 history_idx(int width, int channel, int x, int y) {
  return ((u64)3 * y + channel) * width + x;
}

INLINE int cell_at(float px, float cell_px, int n_cells) {
  return lesser((int)fmaxf(px / cell_px, 0.0f), n_cells - 1);
}

// Rows of cells about a pixel row, and the share of the second.
struct Rows {
  int top, bottom;
  float low_share;
};

INLINE Rows rows_about(const Blend& job, int y) {
  float position = ((float)y + 0.5f) * (float)job.cells_high / (float)job.height - 0.5f;
  position = clampf(position, 0.0f, (float)(job.cells_high - 1));
  int row = (int)position;
  return {row, lesser(row + 1, job.cells_high - 1), position - (float)row};
}

// Share of history at the end of a segment in a row of cells, and the same where things move.
struct Share {
  float all, moving;
};

INLINE Share share_at(const Blend& job, int node, int row) {
  float cell_px = (float)job.width / (float)job.cells_wide;
  float px = (float)(node * SEGMENT), half = 0.5f * SEGMENT;
  int first = cell_at(px - half, cell_px, job.cells_wide);
  int last = cell_at(px + half - 1.0f, cell_px, job.cells_wide);
  float share = 1.0f, way = 0.0f;
  for (int x = first; x <= last; ++x) {
    int cell = row * job.cells_wide + x;
    share = fminf(share, job.share[cell]);
    way = fmaxf(way, fmaxf(fabsf(job.u[cell]), fabsf(job.v[cell])));
  }
  share *= job.fade;
  return {share, way > 0.0f ? share : 0.0f};
}

INLINE float mix(float a, float b, float share) { return a + share * (b - a); }

INLINE Share share_between(const Blend& job, int node, const Rows& rows) {
  Share top = share_at(job, node, rows.top), bottom = share_at(job, node, rows.bottom);
  return {mix(top.all, bottom.all, rows.low_share), mix(top.moving, bottom.moving, rows.low_share)};
}

// Where a pixel was: the whole pixel, and the place between it and the next one.
struct Place {
  int x, y;
  float phase_x, phase_y;
};

INLINE Place place_of(const Blend& job, int x, int y, const Rows& rows) {
  int segment = x / SEGMENT;
  float wide = (float)job.width / (float)job.cells_wide;
  float high = (float)job.height / (float)job.cells_high;
  int cell = cell_at((float)(segment * SEGMENT) + 0.5f * SEGMENT, wide, job.cells_wide);
  int top = rows.top * job.cells_wide + cell, bottom = rows.bottom * job.cells_wide + cell;
  float u = mix(job.u[top] * wide, job.u[bottom] * wide, rows.low_share);
  float v = mix(job.v[top] * high, job.v[bottom] * high, rows.low_share);
  // Far beyond any picture is as good as beyond it.
  int steps_x = (int)floorf(clampf(u, -16384.0f, 16384.0f) * PHASES + 0.5f);
  int steps_y = (int)floorf(clampf(v, -16384.0f, 16384.0f) * PHASES + 0.5f);
  // Shifts round down, below 0 as well.
  return {x + (steps_x >> 5), y + (steps_y >> 5), (float)(steps_x & 31) / PHASES, (float)(steps_y & 31) / PHASES};
}

// Weights of four pixels for a position between the second and the third (Keys 1981, a = -1/2).
INLINE void keys(float t, float* weights) {
  weights[0] = ((-0.5f * t + 1.0f) * t - 0.5f) * t;
  weights[1] = (1.5f * t - 2.5f) * t * t + 1.0f;
  weights[2] = ((-1.5f * t + 2.0f) * t + 0.5f) * t;
  weights[3] = (0.5f * t - 0.5f) * t * t;
}

// Takes a painted picture as it is.
KERNEL(take, Take) {
  int x = place_x(), y = place_y();
  const Picture& picture = job.painted;
  if (x >= picture.window_width || y >= picture.window_height) return;
  for (int channel = 0; channel < 3; ++channel) {
    int from = job.is_bgr ? 2 - channel : channel;
    u64 idx = picture_idx(picture, picture.left + x, picture.top + y, from);
    float value = (load_value(picture.data, idx, picture.is_half) - job.low) * job.scale;
    job.taken[history_idx(picture.window_width, channel, x, y)] = to_u16(value);
  }
}

// Moves the history of a pixel, cuts it to the range of the new frame about it, and mixes it in.
KERNEL(blend, Blend) {
  int x = place_x(), y = place_y();
  int width = job.width, height = job.height;
  if (x >= width || y >= height) return;
  Rows rows = rows_about(job, y);
  int segment = x / SEGMENT;
  Share left = share_between(job, segment, rows), right = share_between(job, segment + 1, rows);
  float within = ((float)(x % SEGMENT) + 0.5f) / SEGMENT;
  float share = mix(left.all, right.all, within);
  job.moving[(u64)y * width + x] = mix(left.moving, right.moving, within);
  bool has_history = left.all > 0.0f || right.all > 0.0f;
  // Rows in which nothing moves need no cutting: their history is of the same place.
  bool moves = job.moves[rows.top] || job.moves[rows.bottom];
  Place place = place_of(job, x, y, rows);
  float across[4], down[4];
  keys(place.phase_x, across);
  keys(place.phase_y, down);
  for (int channel = 0; channel < 3; ++channel) {
    u64 at = history_idx(width, channel, x, y);
    float here = (float)job.painted[at], value = here;
    if (!moves) {
      value = mix(here, (float)job.before[at], share);
    } else if (has_history) {
      float moved = 0.0f;
      for (int i = 0; i < 4; ++i) {
        int from_x = clamp(place.x - 1 + i, 0, width - 1);
        float column = 0.0f;
        for (int j = 0; j < 4; ++j) {
          int from_y = clamp(place.y - 1 + j, 0, height - 1);
          column += down[j] * (float)job.before[history_idx(width, channel, from_x, from_y)];
        }
        moved += across[i] * column;
      }
      float low = here, high = here;
      for (int j = -1; j <= 1; ++j)
        for (int i = -1; i <= 1; ++i) {
          int near_x = clamp(x + i, 0, width - 1), near_y = clamp(y + j, 0, height - 1);
          float near = (float)job.painted[history_idx(width, channel, near_x, near_y)];
          low = fminf(low, near);
          high = fmaxf(high, near);
        }
      value = mix(here, fmaxf(fminf(moved, high + job.margin), low - job.margin), share);
    }
    job.blended[at] = value;
  }
}

// Sharpens a blended pixel where things move, and shows it.
KERNEL(show, Blend) {
  int x = place_x(), y = place_y();
  int width = job.width, height = job.height;
  if (x >= width || y >= height) return;
  float amount = job.amount * job.moving[(u64)y * width + x];
  for (int channel = 0; channel < 3; ++channel) {
    u64 at = history_idx(width, channel, x, y);
    float here = job.blended[at];
    float beside = job.blended[history_idx(width, channel, greater(x - 1, 0), y)] +
                   job.blended[history_idx(width, channel, lesser(x + 1, width - 1), y)] +
                   job.blended[history_idx(width, channel, x, greater(y - 1, 0))] +
                   job.blended[history_idx(width, channel, x, lesser(y + 1, height - 1))];
    job.now[at] = to_u16(here + amount * (4.0f * here - beside));
  }
}

// Sum of the differences of a pixel to its right neighbour and to the one above it.
INLINE float gradient(const u16* history, int width, int channel, int x, int y) {
  float here = (float)history[history_idx(width, channel, x, y)];
  return fabsf((float)history[history_idx(width, channel, x + 1, y)] - here) +
         fabsf(here - (float)history[history_idx(width, channel, x, y - 1)]);
}

// Adds the gradients of a segment. A place is a segment and one of the rows that are compared.
KERNEL(measure, Blend) {
  int first = place_x() * SEGMENT, y = job.first_row + place_y() * job.every_row;
  if (first + SEGMENT >= job.width || y >= job.height) return;
  float painted = 0.0f, shown = 0.0f;
  for (int x = first; x < first + SEGMENT; ++x) {
    float moving = job.moving[(u64)y * job.width + x];
    for (int channel = 0; channel < 3; ++channel) {
      painted += moving * gradient(job.painted, job.width, channel, x, y);
      shown += moving * gradient(job.now, job.width, channel, x, y);
    }
  }
  add(job.sums, (u64)painted);
  add(job.sums + 1, (u64)shown);
}
