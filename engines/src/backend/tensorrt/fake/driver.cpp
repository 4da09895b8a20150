// A CUDA driver without a GPU: it has two devices, whose memory is this machine's and whose kernels run on the processor.
//
// It is for tests of the code that calls the driver. It does as little in time as a driver may, so that a wait that is
// missing shows, and stops the process with words at what a driver would not survive: copies and kernels that leave their
// memory, memory that is used after it was freed, calls by threads that have no context. What it does not know of is how
// fast anything is, and what kernels do to each other that run at the same time.
//
// Names, types and numbers are those of NVIDIA's cuda.h; functions that begin with fake_ are for the tests.

#include <mutex>

#include "memory.hpp"
#include "streams.hpp"
#include "kernels.hpp"

#define API extern "C" __attribute__((visibility("default")))
// Calls come from any thread, one at a time.
#define ONE_AT_A_TIME std::lock_guard<std::recursive_mutex> held(lock)
// Calls that return when the GPU is done with something.
#define MAY_WAIT \
  if (hangs) stop(__func__, "this waits for a GPU that never answers")
// Calls that want a context current to the thread.
#define WITH_CONTEXT \
  ONE_AT_A_TIME;     \
  if (!current) return INVALID_CONTEXT

enum CUresult { SUCCESS = 0, NOT_READY = 600, INVALID_VALUE = 1, OUT_OF_MEMORY = 2, INVALID_DEVICE = 101, INVALID_CONTEXT = 201, NOT_FOUND = 500 };

struct Context {
  int device = 0;
  int n_users = 0;
  unsigned n_streams = 0;
};
struct Module {
  std::string ptx;
};
typedef std::shared_ptr<Stream>* CUstream;

static const int N_DEVICES = 2;
// Each device's primary one; others are made by cuCtxCreate.
static Context contexts[N_DEVICES] = {{0}, {1}};
static size_t n_contexts_made = 0;
static thread_local std::vector<Context*> contexts_of_thread;
// The GPU answers no more.
static bool hangs = false;
#define current (contexts_of_thread.empty() ? nullptr : contexts_of_thread.back())
static std::recursive_mutex lock;
static const size_t TOTAL_BYTES = size_t(8) << 30;

API CUresult cuInit(unsigned) {
  ONE_AT_A_TIME;
  catch_faults();
  return SUCCESS;
}

API CUresult cuGetErrorName(CUresult, const char** name) {
  *name = "an error of the fake driver";
  return SUCCESS;
}

API CUresult cuGetErrorString(CUresult result, const char** words) { return cuGetErrorName(result, words); }

API CUresult cuDeviceGetCount(int* n_devices) {
  *n_devices = N_DEVICES;
  return SUCCESS;
}

API CUresult cuDeviceGet(int* device, int ordinal) {
  if (ordinal < 0 || ordinal >= N_DEVICES) return INVALID_DEVICE;
  *device = ordinal;
  return SUCCESS;
}

API CUresult cuDeviceGetName(char* name, int n_bytes, int) {
  snprintf(name, (size_t)n_bytes, "Fake GPU");
  return SUCCESS;
}

API CUresult cuDeviceTotalMem_v2(size_t* n_bytes, int) {
  *n_bytes = TOTAL_BYTES;
  return SUCCESS;
}

API CUresult cuDeviceGetAttribute(int* value, int attribute, int) {
  switch (attribute) {
    case 14: *value = 512; return SUCCESS; // TEXTURE_ALIGNMENT
    case 75: *value = 8; return SUCCESS;   // COMPUTE_CAPABILITY_MAJOR
    case 76: *value = 9; return SUCCESS;   // COMPUTE_CAPABILITY_MINOR
    case 115: *value = 1; return SUCCESS;  // MEMORY_POOLS_SUPPORTED
    default: return INVALID_VALUE;
  }
}

API CUresult cuDevicePrimaryCtxRetain(Context** context, int device) {
  ONE_AT_A_TIME;
  *context = &contexts[device];
  ++contexts[device].n_users;
  return SUCCESS;
}

API CUresult cuDevicePrimaryCtxRelease_v2(int device) {
  ONE_AT_A_TIME;
  MAY_WAIT;
  if (contexts[device].n_users-- == 0) stop("releasing a context", "nobody has it");
  if (contexts[device].n_users == 0) {
    finish_all();
    contexts[device].n_streams = 0;
  }
  return SUCCESS;
}

API CUresult cuCtxGetCurrent(Context** context) {
  *context = current;
  return SUCCESS;
}

API CUresult cuCtxSetCurrent(Context* context) {
  if (!contexts_of_thread.empty()) contexts_of_thread.pop_back();
  if (context) contexts_of_thread.push_back(context);
  return SUCCESS;
}

API CUresult cuCtxPushCurrent_v2(Context* context) {
  contexts_of_thread.push_back(context);
  return SUCCESS;
}

API CUresult cuCtxPopCurrent_v2(Context** context) {
  if (!current) return INVALID_CONTEXT;
  if (context) *context = current;
  contexts_of_thread.pop_back();
  return SUCCESS;
}

API CUresult cuCtxCreate_v2(Context** context, unsigned, int device) {
  ONE_AT_A_TIME;
  if (device < 0 || device >= N_DEVICES) return INVALID_DEVICE;
  *context = new Context{device};
  ++n_contexts_made;
  contexts_of_thread.push_back(*context);
  return SUCCESS;
}

API CUresult cuCtxDestroy_v2(Context* context) {
  ONE_AT_A_TIME;
  MAY_WAIT;
  for (const Context& primary : contexts)
    if (context == &primary) stop("destroying a context", "it is a device's own");
  finish_all();
  for (const auto& [at, found] : allocations)
    if (found.is_live && found.owner == context) stop("destroying a context", "there is memory left in it");
  if (current == context) contexts_of_thread.pop_back();
  --n_contexts_made;
  delete context;
  return SUCCESS;
}

API CUresult cuMemGetInfo_v2(size_t* free, size_t* total) {
  WITH_CONTEXT;
  *total = TOTAL_BYTES;
  *free = limit_bytes[DEVICE] < TOTAL_BYTES ? 0 : TOTAL_BYTES - live_bytes[DEVICE];
  return SUCCESS;
}

API CUresult cuMemAllocAsync(void** at, size_t n_bytes, CUstream) {
  WITH_CONTEXT;
  *at = allocate(n_bytes, DEVICE, current);
  return *at ? SUCCESS : OUT_OF_MEMORY;
}

API CUresult cuMemFreeAsync(void* at, CUstream stream) {
  ONE_AT_A_TIME;
  (*stream)->put([=] { release(at, DEVICE); });
  return SUCCESS;
}

API CUresult cuMemHostAlloc(void** at, size_t n_bytes, unsigned) {
  WITH_CONTEXT;
  *at = allocate(n_bytes, PINNED, current);
  return *at ? SUCCESS : OUT_OF_MEMORY;
}

API CUresult cuMemFreeHost(void* at) {
  WITH_CONTEXT;
  MAY_WAIT;
  release(at, PINNED);
  return SUCCESS;
}

API CUresult cuMemcpyHtoDAsync_v2(void* to, const void* from, size_t n_bytes, CUstream stream) {
  WITH_CONTEXT;
  check_device("copying to the GPU", to, n_bytes, current);
  if (is_pinned("copying to the GPU", from, n_bytes)) {
    (*stream)->put([=] { memcpy(to, from, n_bytes); });
  } else {
    std::vector<u8> bytes((const u8*)from, (const u8*)from + n_bytes);
    (*stream)->put([=] { memcpy(to, bytes.data(), n_bytes); });
  }
  return SUCCESS;
}

API CUresult cuMemcpyDtoHAsync_v2(void* to, const void* from, size_t n_bytes, CUstream stream) {
  WITH_CONTEXT;
  check_device("copying from the GPU", from, n_bytes, current);
  bool is_late = is_pinned("copying from the GPU", to, n_bytes);
  (*stream)->put([=] { memcpy(to, from, n_bytes); });
  if (!is_late) {
    MAY_WAIT;
    (*stream)->finish();
  }
  return SUCCESS;
}

API CUresult cuMemcpyDtoDAsync_v2(void* to, const void* from, size_t n_bytes, CUstream stream) {
  WITH_CONTEXT;
  check_device("copying on the GPU", from, n_bytes, current);
  check_device("copying on the GPU", to, n_bytes, current);
  (*stream)->put([=] { memmove(to, from, n_bytes); });
  return SUCCESS;
}

enum MemoryType { HOST_MEMORY = 1, DEVICE_MEMORY = 2 };

struct Rectangle {
  size_t from_x, from_y;
  MemoryType from_type;
  const u8 *from_host, *from_device;
  void* from_array;
  size_t from_pitch;
  size_t to_x, to_y;
  MemoryType to_type;
  u8 *to_host, *to_device;
  void* to_array;
  size_t to_pitch;
  size_t width_bytes, n_rows;
};

static std::function<void()> rectangle_copy(const Rectangle& job) {
  if (job.from_x || job.from_y || job.to_x || job.to_y) stop("copying rows", "they are to begin at the start");
  if (job.from_pitch < job.width_bytes || job.to_pitch < job.width_bytes) stop("copying rows", "they overlap");
  const u8* from = job.from_type == DEVICE_MEMORY ? job.from_device : job.from_host;
  u8* to = job.to_type == DEVICE_MEMORY ? job.to_device : job.to_host;
  for (size_t y : {size_t(0), job.n_rows - 1}) {
    if (job.from_type == DEVICE_MEMORY) check_device("copying rows", from + y * job.from_pitch, job.width_bytes, current);
    if (job.to_type == DEVICE_MEMORY) check_device("copying rows", to + y * job.to_pitch, job.width_bytes, current);
  }
  return [=] {
    for (size_t y = 0; y < job.n_rows; ++y) memmove(to + y * job.to_pitch, from + y * job.from_pitch, job.width_bytes);
  };
}

API CUresult cuMemcpy2DAsync_v2(const Rectangle* job, CUstream stream) {
  WITH_CONTEXT;
  auto copy = rectangle_copy(*job);
  // The default stream waits for none of those that are made here, and whoever uses it waits at once.
  if (stream)
    (*stream)->put(copy);
  else
    copy();
  return SUCCESS;
}

API CUresult cuMemsetD8Async(void* at, u8 value, size_t n_bytes, CUstream stream) {
  WITH_CONTEXT;
  check_device("filling memory", at, n_bytes, current);
  (*stream)->put([=] { memset(at, value, n_bytes); });
  return SUCCESS;
}

API CUresult cuStreamCreateWithPriority(CUstream* stream, unsigned, int) {
  WITH_CONTEXT;
  auto made = std::make_shared<Stream>();
  made->is_hasty = hasty_streams >> current->n_streams++ % 3 & 1;
  streams.push_back(made);
  *stream = new std::shared_ptr<Stream>(made);
  return SUCCESS;
}

API CUresult cuStreamDestroy_v2(CUstream stream) {
  WITH_CONTEXT;
  // Its work is done some time later.
  delete stream;
  return SUCCESS;
}

API CUresult cuStreamSynchronize(CUstream stream) {
  WITH_CONTEXT;
  MAY_WAIT;
  if (stream) (*stream)->finish();
  return SUCCESS;
}

API CUresult cuStreamWaitEvent(CUstream stream, Event* event, unsigned) {
  WITH_CONTEXT;
  (*stream)->put([recorded = *event] { recorded.wait(); });
  return SUCCESS;
}

API CUresult cuEventCreate(Event** event, unsigned) {
  WITH_CONTEXT;
  *event = new Event;
  return SUCCESS;
}

API CUresult cuEventDestroy_v2(Event* event) {
  WITH_CONTEXT;
  delete event;
  return SUCCESS;
}

API CUresult cuEventRecord(Event* event, CUstream stream) {
  WITH_CONTEXT;
  event->record(*stream);
  return SUCCESS;
}

API CUresult cuEventQuery(Event* event) {
  WITH_CONTEXT;
  if (hangs) return NOT_READY;
  event->wait();
  return SUCCESS;
}

API CUresult cuEventSynchronize(Event* event) {
  WITH_CONTEXT;
  MAY_WAIT;
  event->wait();
  return SUCCESS;
}

API CUresult cuModuleLoadData(Module** module, const char* ptx) {
  WITH_CONTEXT;
  *module = new Module{ptx};
  return SUCCESS;
}

API CUresult cuModuleUnload(Module* module) {
  WITH_CONTEXT;
  MAY_WAIT;
  delete module;
  return SUCCESS;
}

API CUresult cuModuleGetFunction(const Kernel** kernel, Module* module, const char* name) {
  WITH_CONTEXT;
  *kernel = kernel_in(module->ptx, name);
  return *kernel ? SUCCESS : NOT_FOUND;
}

API CUresult cuLaunchKernel(const Kernel* kernel, u32 grid_x, u32 grid_y, u32 grid_z, u32 block_x, u32 block_y, u32 block_z,
                            u32, CUstream stream, void** jobs, void**) {
  WITH_CONTEXT;
  u32 n_threads = block_x * block_y * block_z;
  if (!grid_x || !grid_y || !n_threads || grid_z * block_z != 1 || n_threads > 1024 || grid_y > 65535) return INVALID_VALUE;
  std::vector<u8> job((const u8*)jobs[0], (const u8*)jobs[0] + kernel->job_bytes);
  (*stream)->put([=] { run_kernel(*kernel, job, grid_x * block_x, grid_y * block_y); });
  return SUCCESS;
}

#include "gstreamers.hpp"

// Allocations that are left when all work is done: of the GPU's memory, or of page-locked memory.
API size_t fake_count_live(int is_pinned) {
  ONE_AT_A_TIME;
  finish_all();
  return count_live(is_pinned ? PINNED : DEVICE);
}

// Contexts that were made and are left.
API size_t fake_count_contexts() {
  ONE_AT_A_TIME;
  return n_contexts_made;
}

// Allocations that were ever made, of both kinds.
API size_t fake_count_ever() {
  ONE_AT_A_TIME;
  return allocations.size();
}

// How often a kernel has run.
API size_t fake_count_runs(const char* kernel) {
  ONE_AT_A_TIME;
  return n_runs[kernel];
}

// Lets there be so much memory: of all GPUs together, or page-locked.
API void fake_limit(int is_pinned, size_t n_bytes) {
  ONE_AT_A_TIME;
  limit_bytes[is_pinned ? PINNED : DEVICE] = n_bytes;
}

// From now on nothing is ever done.
API void fake_hang() { hangs = true; }

// Chooses which streams run ahead, of those that are yet to be made: bit 0 the first of each three, and so on.
API void fake_hurry(unsigned which) { hasty_streams = which; }
