// Frame to the network's picture: the twin of `convert/read.rs`.

#include "kernel.cuh"

// What uploading is about: a frame of the size of the picture's window.
struct Upload {
  Frame frame;
  // From the frame's codes to the network's values.
  Affine map;
  Picture picture;
};

// Chroma brought to a pixel: sited left in x, centred in y.
INLINE float chroma_about(const Frame& frame, int which, int x, int y) {
  int last_x = (frame.width + 1) / 2 - 1, last_y = (frame.height + 1) / 2 - 1;
  int near = y / 2;
  int far = y % 2 == 0 ? greater(near - 1, 0) : lesser(near + 1, last_y);
  int left = x / 2;
  float value = 0.75f * load_chroma(frame, which, left, near) + 0.25f * load_chroma(frame, which, left, far);
  if (x % 2 == 0) return value;
  int right = lesser(left + 1, last_x);
  float next = 0.75f * load_chroma(frame, which, right, near) + 0.25f * load_chroma(frame, which, right, far);
  return 0.5f * (value + next);
}

// Fills a pixel of the whole picture: round the window by folding reflection.
KERNEL(upload, Upload) {
  int x = place_x(), y = place_y();
  const Picture& picture = job.picture;
  const Frame& frame = job.frame;
  if (x >= picture.width || y >= picture.height) return;
  int from_x = fold(x - picture.left, picture.window_width);
  int from_y = fold(y - picture.top, picture.window_height);
  float codes[3];
  if (frame.pixels == PACKED) {
    for (int channel = 0; channel < 3; ++channel)
      codes[channel] = load_sample(frame, 0, packed_idx(frame, from_x, channel), from_y);
  } else {
    codes[0] = load_sample(frame, 0, from_x, from_y);
    codes[1] = chroma_about(frame, 0, from_x, from_y);
    codes[2] = chroma_about(frame, 1, from_x, from_y);
  }
  for (int channel = 0; channel < 3; ++channel)
    store_value(picture.data, picture_idx(picture, x, y, channel), picture.is_half, mapped(job.map, channel, codes));
}
