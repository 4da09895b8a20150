// How much of the history each cell may keep: the twin of `stabilizer/believe.rs`.

#include "kernel.cuh"

// Mean differences of luma over 3x3 cells, in codes: up to the first, flow is believed, from the second on, it is not.
static const float DIFFERENCE[2] = {7.0f, 20.0f};
// The same of what does not move.
static const float STILL_DIFFERENCE = 2.25f;
// And it has not moved by as many cells, as far as flow can tell.
static const float STILL_WAY = 0.5f;
// What does not move agrees at least as well with the same place as with where flow says it came from, but for this.
static const float STILL_MARGIN = 1.0f;
// Codes that what stays may be behind its light.
static const float BEHIND[2] = {1.5f, 4.5f};
// Distances in cells at which the way forth and back may end from home, and the share of its way that is added to them.
static const float HOME[2] = {1.0f, 2.0f};
static const float HOME_SHARE = 0.05f;
// What arrives at a cell, as shares of a cell.
static const float ARRIVED[2] = {0.6f, 0.9f};
// What arrives is counted in whole numbers, whose sum is the same in any order: so many make a cell.
static const float CELL = 1048576.0f;

// What believing is about.
struct Belief {
  // Luma of the newer frame and of the older one.
  Level now, before;
  // Steps in x and then in y from the newer frame to the older one, and then the same of the way back; none: only what does
  // not move is found.
  const float* flows;
  // Largest shares of history, of what moves and of what does not.
  float moving_share, still_share;
  // Planes of a value per cell: differences of luma to where flow says it came from, and to the same place.
  float* moved;
  float* stayed;
  // Whether the way back leads home.
  float* paths;
  // What of the older frame arrives; zeros before.
  u64* arrived;
  // Shares before neighbours have had their say, of what moves and of what does not.
  float* moving;
  float* still;
  // Luma that the history of what stays was painted for.
  float* painted_for;
  // What is found out: steps to where each cell was, and its share of history.
  float* u;
  float* v;
  float* share;
  // Whether anything moves in a row of cells that is kept.
  u8* moves;
};

// 0 up to the first value, 1 from the second on, smooth between.
INLINE float rise(float value, const float* from_to) {
  float share = clampf((value - from_to[0]) / (from_to[1] - from_to[0]), 0.0f, 1.0f);
  return share * share * (3.0f - 2.0f * share);
}

INLINE int cell_idx(const Belief& job, int x, int y) { return y * job.now.width + x; }

// The same, where cells beyond the border are those at the border.
INLINE int near_idx(const Belief& job, int x, int y) {
  return cell_idx(job, clamp(x, 0, job.now.width - 1), clamp(y, 0, job.now.height - 1));
}

// Spreads a cell of the older frame over the four of the newer one that it lands on.
INLINE void arrive(const Belief& job, float to_x, float to_y) {
  int width = job.now.width, height = job.now.height;
  float left = floorf(to_x), top = floorf(to_y);
  // What lands on the border itself is not kept either.
  if (left < 0.0f || top < 0.0f || left >= (float)(width - 1) || top >= (float)(height - 1)) return;
  float right_share = to_x - left, low_share = to_y - top;
  u64* at = job.arrived + cell_idx(job, (int)left, (int)top);
  add(at, (u64)rintf((1.0f - right_share) * (1.0f - low_share) * CELL));
  add(at + 1, (u64)rintf(right_share * (1.0f - low_share) * CELL));
  add(at + width, (u64)rintf((1.0f - right_share) * low_share * CELL));
  add(at + width + 1, (u64)rintf(right_share * low_share * CELL));
}

// Takes a frame that is shown as it was painted.
KERNEL(believe_anew, Belief) {
  int x = place_x(), y = place_y();
  if (x >= job.now.width || y >= job.now.height) return;
  job.painted_for[cell_idx(job, x, y)] = *level_at(job.now, x, y);
}

// Differences of luma, whether flow leads home, and what arrives.
KERNEL(compare, Belief) {
  int x = place_x(), y = place_y();
  int width = job.now.width, height = job.now.height;
  if (x >= width || y >= height) return;
  if (x == 0) job.moves[y] = 0;
  int cell = cell_idx(job, x, y);
  float now = *level_at(job.now, x, y);
  job.stayed[cell] = fabsf(now - *level_at(job.before, x, y));
  if (!job.flows) return;
  u64 n = (u64)width * height;
  const float* there = job.flows + cell;
  const float* back = job.flows + 2 * n;
  float u = there[0], v = there[n];
  float max_x = (float)(width - 1), max_y = (float)(height - 1);
  float from_x = (float)x + u, from_y = (float)y + v;
  float at_x = clampf(from_x, 0.0f, max_x), at_y = clampf(from_y, 0.0f, max_y);
  int left = (int)at_x, top = (int)at_y;
  float right_share = at_x - (float)left, low_share = at_y - (float)top;
  const float* upper = level_at(job.before, left, top);
  const float* lower = level_at(job.before, left, top + 1);
  float above = upper[0] + right_share * (upper[1] - upper[0]);
  float below = lower[0] + right_share * (lower[1] - lower[0]);
  job.moved[cell] = fabsf(now - (above + low_share * (below - above)));

  // The nearest cell's way back is near enough.
  int nearest = cell_idx(job, (int)(at_x + 0.5f), (int)(at_y + 0.5f));
  float off_u = u + back[nearest], off_v = v + back[nearest + n];
  float off = sqrtf(off_u * off_u + off_v * off_v) - HOME_SHARE * sqrtf(u * u + v * v);
  bool is_inside = from_x >= 1.0f && from_x <= max_x - 1.0f && from_y >= 1.0f && from_y <= max_y - 1.0f;
  job.paths[cell] = is_inside ? 1.0f - rise(off, HOME) : 0.0f;

  arrive(job, (float)x + back[cell], (float)y + back[cell + n]);
}

// Mean over 3x3 cells: of each column, then of the three.
INLINE float mean_3x3(const Belief& job, const float* plane, int x, int y) {
  float sum = 0.0f;
  for (int i = -1; i <= 1; ++i) {
    float column = 0.0f;
    for (int j = -1; j <= 1; ++j) column += plane[near_idx(job, x + i, y + j)];
    sum += column * (1.0f / 3.0f);
  }
  return sum * (1.0f / 3.0f);
}

INLINE float least_3x3(const Belief& job, const float* plane, int x, int y) {
  float least = plane[cell_idx(job, x, y)];
  for (int j = -1; j <= 1; ++j)
    for (int i = -1; i <= 1; ++i) least = fminf(least, plane[near_idx(job, x + i, y + j)]);
  return least;
}

// Shares of each cell by itself: of what moves, and of what does not.
KERNEL(settle, Belief) {
  int x = place_x(), y = place_y();
  int width = job.now.width, height = job.now.height;
  if (x >= width || y >= height) return;
  int cell = cell_idx(job, x, y);
  float stayed = mean_3x3(job, job.stayed, x, y);
  if (!job.flows) {
    job.moving[cell] = 0.0f;
    job.still[cell] = stayed < STILL_DIFFERENCE ? 1.0f : 0.0f;
    return;
  }
  float moved = mean_3x3(job, job.moved, x, y);
  float u = job.flows[cell], v = job.flows[cell + (u64)width * height];
  float arrived = rise((float)job.arrived[cell] / CELL, ARRIVED);
  bool stays =
      u * u + v * v < STILL_WAY * STILL_WAY && stayed < STILL_DIFFERENCE && stayed <= moved + STILL_MARGIN;
  job.moving[cell] = job.paths[cell] * arrived * (1.0f - rise(moved, DIFFERENCE));
  job.still[cell] = stays ? arrived : 0.0f;
}

// Motion and share of each cell, after its neighbours have had their say.
KERNEL(join, Belief) {
  int x = place_x(), y = place_y();
  int width = job.now.width, height = job.now.height;
  if (x >= width || y >= height) return;
  int cell = cell_idx(job, x, y);
  float still = least_3x3(job, job.still, x, y), moving = least_3x3(job, job.moving, x, y);
  float behind = *level_at(job.now, x, y) - job.painted_for[cell];
  float held = still * job.still_share * (1.0f - rise(fabsf(behind), BEHIND));
  bool stays = still > 0.5f, goes = job.flows && !stays;
  float share = stays ? held : moving * job.moving_share;
  job.painted_for[cell] += stays ? (1.0f - held) * behind : behind;
  float u = goes ? job.flows[cell] : 0.0f, v = goes ? job.flows[cell + (u64)width * height] : 0.0f;
  job.u[cell] = u;
  job.v[cell] = v;
  job.share[cell] = share;
  if (share > 0.0f && (u != 0.0f || v != 0.0f)) job.moves[y] = 1;
}
