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
// Calls that want a context current to the thread.
#define WITH_CONTEXT \
  ONE_AT_A_TIME;     \
  if (!current) return INVALID_CONTEXT

enum CUresult { SUCCESS = 0, INVALID_VALUE = 1, OUT_OF_MEMORY = 2, INVALID_DEVICE = 101, INVALID_CONTEXT = 201, NOT_FOUND = 500 };

struct Context {
  int n_users = 0;
  unsigned n_streams = 0;
};
struct Module {
  std::string ptx;
};
typedef std::shared_ptr<Stream>* CUstream;

static const int N_DEVICES = 2;
static Context contexts[N_DEVICES];
static thread_local Context* current = nullptr;
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
  current = context;
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
  *at = allocate(n_bytes, DEVICE);
  return *at ? SUCCESS : OUT_OF_MEMORY;
}

API CUresult cuMemFreeAsync(void* at, CUstream stream) {
  ONE_AT_A_TIME;
  (*stream)->put([=] { release(at, DEVICE); });
  return SUCCESS;
}

API CUresult cuMemHostAlloc(void** at, size_t n_bytes, unsigned) {
  WITH_CONTEXT;
  *at = allocate(n_bytes, PINNED);
  return *at ? SUCCESS : OUT_OF_MEMORY;
}

API CUresult cuMemFreeHost(void* at) {
  WITH_CONTEXT;
  release(at, PINNED);
  return SUCCESS;
}

API CUresult cuMemcpyHtoDAsync_v2(void* to, const void* from, size_t n_bytes, CUstream stream) {
  WITH_CONTEXT;
  check_device("copying to the GPU", to, n_bytes);
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
  check_device("copying from the GPU", from, n_bytes);
  bool is_late = is_pinned("copying from the GPU", to, n_bytes);
  (*stream)->put([=] { memcpy(to, from, n_bytes); });
  if (!is_late) (*stream)->finish();
  return SUCCESS;
}

API CUresult cuMemcpyDtoDAsync_v2(void* to, const void* from, size_t n_bytes, CUstream stream) {
  WITH_CONTEXT;
  check_device("copying on the GPU", from, n_bytes);
  check_device("copying on the GPU", to, n_bytes);
  (*stream)->put([=] { memmove(to, from, n_bytes); });
  return SUCCESS;
}

API CUresult cuMemsetD8Async(void* at, u8 value, size_t n_bytes, CUstream stream) {
  WITH_CONTEXT;
  check_device("filling memory", at, n_bytes);
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
  (*stream)->finish();
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

API CUresult cuEventSynchronize(Event* event) {
  WITH_CONTEXT;
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

// Allocations that are left when all work is done: of the GPU's memory, or of page-locked memory.
API size_t fake_count_live(int is_pinned) {
  ONE_AT_A_TIME;
  finish_all();
  return count_live(is_pinned ? PINNED : DEVICE);
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

// Chooses which streams run ahead, of those that are yet to be made: bit 0 the first of each three, and so on.
API void fake_hurry(unsigned which) { hasty_streams = which; }
