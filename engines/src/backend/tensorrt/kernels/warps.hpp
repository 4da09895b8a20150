// Warps on the processor, for tests: a thread per lane. Lanes wait for each other wherever one hears of another; if some of
// them never come there, the process ends.

#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <thread>
#include <vector>

static const int LANES = 32;
static thread_local int here_lane;
INLINE int lane() { return here_lane; }

// Where all lanes meet, and what each brings there: to every other meeting, so that none overwrites what another still reads.
static std::mutex lock;
static std::condition_variable all_are_here;
static int n_here = 0, n_meetings = 0;
static float brought[2][LANES];

INLINE float of_lane(float value, int far) {
  std::unique_lock<std::mutex> held(lock);
  int meeting = n_meetings;
  brought[meeting % 2][here_lane] = value;
  if (++n_here == LANES) {
    n_here = 0;
    ++n_meetings;
    all_are_here.notify_all();
  } else if (!all_are_here.wait_for(held, std::chrono::minutes(1), [=] { return n_meetings != meeting; })) {
    fprintf(stderr, "lane %d waits for others that went another way\n", here_lane);
    abort();
  }
  return brought[meeting % 2][here_lane ^ far];
}

// As on a GPU, rows are whole warps.
template <class Work>
static void run_places(u32 width, u32 height, Work work) {
  std::vector<std::thread> lanes;
  for (int lane = 0; lane < LANES; ++lane)
    lanes.emplace_back([=] {
      here_lane = lane;
      for (here_y = 0; here_y < (int)height; ++here_y)
        for (here_x = lane; here_x - lane < (int)width; here_x += LANES) work();
    });
  for (std::thread& lane : lanes) lane.join();
}
