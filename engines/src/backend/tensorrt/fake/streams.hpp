// Streams of work. Nothing runs before something waits for it, so that what is missing a wait finds old values. A stream
// may be made hasty instead: it runs ahead of all others.

#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <vector>

struct Stream {
  std::deque<std::function<void()>> queue;
  size_t n_queued = 0, n_done = 0;
  bool is_hasty = false;

  // Runs the first so many pieces of all the work that this stream ever got.
  void run_until(size_t n) {
    while (n_done < n) {
      auto work = std::move(queue.front());
      queue.pop_front();
      ++n_done;
      work();
    }
  }

  void finish() { run_until(n_queued); }

  void put(std::function<void()> work) {
    queue.push_back(std::move(work));
    ++n_queued;
    if (is_hasty) finish();
  }
};

// A point in a stream; none before it is first recorded.
struct Event {
  std::shared_ptr<Stream> stream;
  size_t n_before = 0;

  void record(const std::shared_ptr<Stream>& on) {
    stream = on;
    n_before = on->n_queued;
  }

  void wait() const {
    if (stream) stream->run_until(n_before);
  }
};

// Every stream, those that are destroyed and have work left as well.
static std::vector<std::shared_ptr<Stream>> streams;
// Bit 0 is the first of each three that a context gets, bit 1 the second, bit 2 the third.
static unsigned hasty_streams = 0;

// The youngest first: what a stream forgot to wait for is then still to be done.
static void finish_all() {
  for (auto stream = streams.rbegin(); stream != streams.rend(); ++stream) (*stream)->finish();
}
