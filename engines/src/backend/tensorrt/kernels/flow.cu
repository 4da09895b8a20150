// Dense optical flow by inverse search: the twin of `stabilizer/flow.rs`, `stabilizer/patch.rs` and `stabilizer/detail.rs`,
// there and back at once.
//
// On the processor, a patch hears of the motions of its left and upper neighbours, which were found before. Here all patches
// are searched for at the same time; then each hears what four about it have found. What comes out differs in places. Where
// things move by no more than a few patches it is as near to the truth.

#include "kernel.cuh"

// Side of a patch, and distance between patches, in pixels.
static const int PATCH = 8;
static const int STEP = 4;
static const int PATCH_PX = PATCH * PATCH;
// Motions closer than this are not both tried.
static const float ALIKE_PX = 0.25f;
// Coarser patches agree whose motions are closer than this to those beside them, in pixels of the largest level, or than this
// share of their way.
static const float AGREED_PX = 0.5f;
static const float AGREED_SHARE = 0.125f;
// Pixels of the largest level along a side of a cell, and cells from patch to patch.
static const int CELL_PX = 2;
static const int STEP_CELLS = STEP / CELL_PX;
// A patch whose sum of squared differences without any motion is below this has not moved, if nothing round it has.
static const float STILL = 0.1f * PATCH_PX;
// Gauss-Newton steps of a patch at most, and of one of the largest level: it starts near.
static const int N_STEPS = 6;
static const int N_DETAIL_STEPS = 2;
// A step shorter than this many pixels is the last one.
static const float SHORT_PX = 0.04f;
// A patch that moves further than this from where it started has lost what it shows.
static const float FAR_PX = 4.0f;
// A patch may leave the picture by this much.
static const float OUTSIDE_PX = BORDER - 4;

// What is known of where a patch went.
struct Found {
  float u, v;
  // Sum of squares of what it differs by there, less their mean; below zero for a motion that is taken as it is.
  float error;
  // That mean.
  float mean;
};

// What searching on one level is about. Of both directions, there comes first.
struct Search {
  // The newer picture and the older one.
  Level pictures[2];
  // Patches of this level, in each direction.
  int n_columns, n_rows;
  // What was found on the next coarser level; none on the coarsest.
  const Found* coarse;
  int coarse_columns, coarse_rows;
  // What was found on this level so far, and what is found now.
  const Found* heard;
  Found* found;
  // Patches from one to those that it hears.
  int reach;
};

// What spreading motion from patches to cells is about.
struct Spread {
  Level pictures[2];
  int n_columns, n_rows;
  const Found* found;
  // Of the flow.
  int width, height;
  // Steps in x and then in y of every cell, and then the same of the way back.
  float* flows;
};

// One of two, both of which are kept in registers.
INLINE Level picture(const Level* pictures, int idx) { return idx == 0 ? pictures[0] : pictures[1]; }

// Pixels of a patch that a lane has: number i of lane l is the pixel i * LANES + l.
static const int OWN = PATCH_PX / LANES;

// A patch of the picture it is searched for from.
struct Patch {
  int x, y;
  float values[OWN];
  // Derivatives in x and y, less their means.
  float along[OWN], down[OWN];
  // Inverse of the Hessian.
  float xx, xy, yy;
};

// Where a patch may have gone: a whole pixel, and the place between it and the next one.
struct Moved {
  int left, top;
  float right_share, low_share;
};

INLINE float moved_to(float at, int side) {
  // Moved by a whole border, so that what is cut off is below zero nowhere.
  return clampf(at, -OUTSIDE_PX, (float)(side - PATCH) + OUTSIDE_PX) + (float)BORDER;
}

INLINE Moved moved_by(const Level& to, int x, int y, float u, float v) {
  float to_x = moved_to((float)x + u, to.width), to_y = moved_to((float)y + v, to.height);
  int left = (int)to_x, top = (int)to_y;
  return {left - BORDER, top - BORDER, to_x - (float)left, to_y - (float)top};
}

// The value that has come to pixel (x, y) of a patch.
INLINE float value_at(const Level& to, const Moved& moved, int x, int y) {
  const float* upper = level_at(to, moved.left + x, moved.top + y);
  const float* lower = level_at(to, moved.left + x, moved.top + y + 1);
  float above = upper[0] + moved.right_share * (upper[1] - upper[0]);
  float below = lower[0] + moved.right_share * (lower[1] - lower[0]);
  return above + moved.low_share * (below - above);
}

INLINE int own_px(int i) { return i * LANES + lane(); }

INLINE Patch cut_patch(const Level& from, int x, int y) {
  Patch patch;
  patch.x = x;
  patch.y = y;
  float sum_along = 0.0f, sum_down = 0.0f;
  for (int i = 0; i < OWN; ++i) {
    int px = x + own_px(i) % PATCH, py = y + own_px(i) / PATCH;
    const float* here = level_at(from, px, py);
    patch.values[i] = *here;
    patch.along[i] = 0.5f * (here[1] - here[-1]);
    patch.down[i] = 0.5f * (*level_at(from, px, py + 1) - *level_at(from, px, py - 1));
    sum_along += patch.along[i];
    sum_down += patch.down[i];
  }
  float mean_along = sum_of_lanes(sum_along) / PATCH_PX, mean_down = sum_of_lanes(sum_down) / PATCH_PX;
  float xx = 0.0f, xy = 0.0f, yy = 0.0f;
  for (int i = 0; i < OWN; ++i) {
    patch.along[i] -= mean_along;
    patch.down[i] -= mean_down;
    xx += patch.along[i] * patch.along[i];
    xy += patch.along[i] * patch.down[i];
    yy += patch.down[i] * patch.down[i];
  }
  // A little of the identity keeps patches along an edge from sliding.
  xx = sum_of_lanes(xx) + 4.0f;
  xy = sum_of_lanes(xy);
  yy = sum_of_lanes(yy) + 4.0f;
  float scale = 1.0f / (xx * yy - xy * xy);
  patch.xx = yy * scale;
  patch.xy = -xy * scale;
  patch.yy = xx * scale;
  return patch;
}

// A motion with what the patch differs by there.
INLINE Found judge(const Patch& patch, const Level& to, float u, float v) {
  Moved moved = moved_by(to, patch.x, patch.y, u, v);
  float sum = 0.0f, squares = 0.0f;
  for (int i = 0; i < OWN; ++i) {
    float difference = value_at(to, moved, own_px(i) % PATCH, own_px(i) / PATCH) - patch.values[i];
    sum += difference;
    squares += difference * difference;
  }
  sum = sum_of_lanes(sum);
  squares = sum_of_lanes(squares);
  return {u, v, squares - sum * sum / PATCH_PX, sum / PATCH_PX};
}

// The same, and the products of the differences with the slopes.
INLINE Found press(const Patch& patch, const Level& to, float u, float v, float* along, float* down) {
  Moved moved = moved_by(to, patch.x, patch.y, u, v);
  float sum = 0.0f, squares = 0.0f, products[2] = {0.0f, 0.0f};
  for (int i = 0; i < OWN; ++i) {
    float difference = value_at(to, moved, own_px(i) % PATCH, own_px(i) / PATCH) - patch.values[i];
    sum += difference;
    squares += difference * difference;
    products[0] += difference * patch.along[i];
    products[1] += difference * patch.down[i];
  }
  sum = sum_of_lanes(sum);
  squares = sum_of_lanes(squares);
  *along = sum_of_lanes(products[0]);
  *down = sum_of_lanes(products[1]);
  return {u, v, squares - sum * sum / PATCH_PX, sum / PATCH_PX};
}

// The motion that Gauss-Newton finds from `start` in at most so many steps.
INLINE Found refine(const Patch& patch, const Level& to, const Found& start, int n_steps) {
  Found found = start;
  float u = start.u, v = start.v;
  for (int step = 0; step < n_steps; ++step) {
    float along, down;
    Found next = press(patch, to, u, v, &along, &down);
    if (step > 0 && next.error > found.error) break;
    found = next;
    float du = patch.xx * along + patch.xy * down, dv = patch.xy * along + patch.yy * down;
    if (du * du + dv * dv < SHORT_PX * SHORT_PX) break;
    u -= du;
    v -= dv;
    float far_u = u - start.u, far_v = v - start.v;
    if (far_u * far_u + far_v * far_v > FAR_PX * FAR_PX) return start;
  }
  return found;
}

INLINE bool are_alike(const Found& a, const Found& b, float far) {
  float du = a.u - b.u, dv = a.v - b.v;
  return du * du + dv * dv <= far * far;
}

// Which patch a place is about.
struct Which {
  int direction, column, row;
  // Among those of both directions.
  int idx;
  bool is_one;
};

INLINE Which which(int n_columns, int n_rows) {
  int column = place_x() / LANES, row = place_y();
  int direction = row / n_rows;
  return {direction, column, row % n_rows, row * n_columns + column, column < n_columns && direction < 2};
}

// Motions of the four coarser patches about one, in pixels of its level.
INLINE void look_round(const Search& job, const Which& it, Found round[4]) {
  int left = lesser(greater(it.column - 1, 0) / 2, job.coarse_columns - 1);
  int top = lesser(greater(it.row - 1, 0) / 2, job.coarse_rows - 1);
  int first = it.direction * job.coarse_rows;
  for (int i = 0; i < 4; ++i) {
    int column = lesser(left + i % 2, job.coarse_columns - 1), row = lesser(top + i / 2, job.coarse_rows - 1);
    const Found& coarse = job.coarse[(first + row) * job.coarse_columns + column];
    round[i].u = 2.0f * coarse.u;
    round[i].v = 2.0f * coarse.v;
  }
}

// The best of a motion and four others.
INLINE Found best_of(const Patch& patch, const Level& to, Found best, const Found round[4]) {
  for (int i = 0; i < 4; ++i) {
    if (are_alike(round[i], best, ALIKE_PX)) continue;
    Found other = judge(patch, to, round[i].u, round[i].v);
    if (other.error < best.error) best = other;
  }
  return best;
}

// Searches for a patch from where the coarser patches about it went. A place is a lane and a patch, there and then back.
KERNEL(search, Search) {
  Which it = which(job.n_columns, job.n_rows);
  if (!it.is_one) return;
  Level from = picture(job.pictures, it.direction), to = picture(job.pictures, 1 - it.direction);
  Patch patch = cut_patch(from, it.column * STEP, it.row * STEP);
  Found best = judge(patch, to, 0.0f, 0.0f);
  Found none = best, round[4] = {none, none, none, none};
  if (job.coarse) look_round(job, it, round);
  bool moves = none.error >= STILL;
  for (int i = 0; i < 4; ++i) moves = moves || !are_alike(round[i], none, ALIKE_PX);
  // Plain surfaces tell nothing by themselves and follow what is round them.
  if (moves) best = refine(patch, to, best_of(patch, to, best, round), N_STEPS);
  if (lane() == 0) job.found[it.idx] = best;
}

// Lets a patch hear what those about it have found: the best of it, searched for from there, may be better than its own.
// Places as above.
KERNEL(hear, Search) {
  Which it = which(job.n_columns, job.n_rows);
  if (!it.is_one) return;
  Level from = picture(job.pictures, it.direction), to = picture(job.pictures, 1 - it.direction);
  Patch patch = cut_patch(from, it.column * STEP, it.row * STEP);
  Found own = job.heard[it.idx], best = own;
  bool is_new = false;
  for (int i = 0; i < 4; ++i) {
    int far = i % 2 ? job.reach : -job.reach, down = i / 2;
    int column = it.column + (down ? 0 : far), row = it.row + (down ? far : 0);
    if (column < 0 || column >= job.n_columns || row < 0 || row >= job.n_rows) continue;
    Found heard = job.heard[it.idx + far * (down ? job.n_columns : 1)];
    if (are_alike(heard, own, ALIKE_PX)) continue;
    Found other = judge(patch, to, heard.u, heard.v);
    if (is_new && other.error >= best.error) continue;
    best = other;
    is_new = true;
  }
  if (is_new) best = refine(patch, to, best, N_STEPS);
  if (lane() == 0) job.found[it.idx] = best.error < own.error ? best : own;
}

// Searches for a patch of the largest level if the coarser patches about it disagree; if not, it goes where they go. Places as
// above.
KERNEL(detail, Search) {
  Which it = which(job.n_columns, job.n_rows);
  if (!it.is_one) return;
  Found round[4];
  look_round(job, it, round);
  Found found;
  found.u = 0.25f * (round[0].u + round[1].u + round[2].u + round[3].u);
  found.v = 0.25f * (round[0].v + round[1].v + round[2].v + round[3].v);
  float far = fmaxf(AGREED_PX, AGREED_SHARE * sqrtf(found.u * found.u + found.v * found.v));
  bool are_agreed = true;
  for (int i = 1; i < 3; ++i)
    are_agreed = are_agreed && are_alike(round[0], round[i], far) && are_alike(round[3], round[i], far);
  if (are_agreed) {
    found.error = -1.0f;
    found.mean = 0.0f;
  } else {
    Level from = picture(job.pictures, it.direction), to = picture(job.pictures, 1 - it.direction);
    Patch patch = cut_patch(from, it.column * STEP, it.row * STEP);
    found = best_of(patch, to, judge(patch, to, round[0].u, round[0].v), round);
    found = refine(patch, to, found, N_DETAIL_STEPS);
  }
  if (lane() == 0) job.found[it.idx] = found;
}

// How well a motion explains the cell (x, y) of a patch, in cells from its own first one.
INLINE float weight_of(const Spread& job, const Found& found, int direction, int column, int row, int x, int y) {
  if (found.error < 0.0f) return 1.0f;
  Level from = picture(job.pictures, direction), to = picture(job.pictures, 1 - direction);
  int left = column * STEP, top = row * STEP;
  Moved moved = moved_by(to, left, top, found.u, found.v);
  float squares = 0.0f;
  for (int i = 0; i < CELL_PX * CELL_PX; ++i) {
    int px = CELL_PX * x + i % CELL_PX, py = CELL_PX * y + i / CELL_PX;
    float off = value_at(to, moved, px, py) - *level_at(from, left + px, top + py) - found.mean;
    squares += off * off;
  }
  return 1.0f / fmaxf(squares / (CELL_PX * CELL_PX), 1.0f);
}

// Gives a cell the mean of the motions of the patches over it, weighted by how well each explains it. A place is a cell,
// those of the way back below those of the way there.
KERNEL(spread, Spread) {
  int x = place_x(), y = place_y() % job.height, direction = place_y() / job.height;
  if (x >= job.width || direction > 1) return;
  float u = 0.0f, v = 0.0f, weights = 0.0f;
  int last_row = lesser(y / STEP_CELLS, job.n_rows - 1), last_column = lesser(x / STEP_CELLS, job.n_columns - 1);
  for (int row = greater(y / STEP_CELLS - 1, 0); row <= last_row; ++row)
    for (int column = greater(x / STEP_CELLS - 1, 0); column <= last_column; ++column) {
      const Found& found = job.found[(direction * job.n_rows + row) * job.n_columns + column];
      float weight = weight_of(job, found, direction, column, row, x - column * STEP_CELLS, y - row * STEP_CELLS);
      u += weight * found.u;
      v += weight * found.v;
      weights += weight;
    }
  u64 n = (u64)job.width * job.height, at = 2 * direction * n + (u64)y * job.width + x;
  job.flows[at] = u / (weights * CELL_PX);
  job.flows[at + n] = v / (weights * CELL_PX);
}
