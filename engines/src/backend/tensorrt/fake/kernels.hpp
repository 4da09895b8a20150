// The kernels, compiled for the processor from their own sources, and what their PTX says of them.

#pragma once

#include <csignal>
#include <map>
#include <string>

#include "../kernels/believe.cu"
#include "../kernels/blend.cu"
#include "../kernels/download.cu"
#include "../kernels/flow.cu"
#include "../kernels/luma.cu"
#include "../kernels/pyramid.cu"
#include "../kernels/scale.cu"
#include "../kernels/upload.cu"

struct Kernel {
  const char* name;
  size_t job_bytes;
  void (*run)(const void* job, u32 width, u32 height);
};

template <class Job, void (*kernel)(const Job*, u32, u32)>
static void run_erased(const void* job, u32 width, u32 height) {
  kernel((const Job*)job, width, height);
}

#define ENTRY(name, Job) {#name, sizeof(Job), run_erased<Job, name>}
static const Kernel KERNELS[] = {
    ENTRY(take, Take),
    ENTRY(blend, Blend),
    ENTRY(show, Blend),
    ENTRY(measure, Blend),
    ENTRY(download_420, Download),
    ENTRY(download_packed, Download),
    ENTRY(scale_rows, Scale),
    ENTRY(scale_columns, Scale),
    ENTRY(upload, Upload),
    ENTRY(luma, Luma),
    ENTRY(halve, Halve),
    ENTRY(relight, Relight),
    ENTRY(search, Search),
    ENTRY(hear, Search),
    ENTRY(detail, Search),
    ENTRY(spread, Spread),
    ENTRY(believe_anew, Belief),
    ENTRY(compare, Belief),
    ENTRY(settle, Belief),
    ENTRY(join, Belief),
};

// The kernel of that name, if the PTX has it. What it is told has the same size in both.
static const Kernel* kernel_in(const std::string& ptx, const std::string& name) {
  size_t entry = ptx.find(".entry " + name + "(");
  if (entry == std::string::npos) return nullptr;
  std::string parameter = " " + name + "_param_0[";
  size_t at = ptx.find(parameter, entry);
  size_t job_bytes = at == std::string::npos ? 0 : strtoul(&ptx[at + parameter.size()], nullptr, 10);
  for (const Kernel& kernel : KERNELS) {
    if (kernel.name != name) continue;
    if (kernel.job_bytes != job_bytes) stop(kernel.name, "its PTX takes a job of another size");
    return &kernel;
  }
  stop(name.c_str(), "it is not among the kernels of the fake driver");
}

// What is running, for the message below, and how often each kernel has run.
static const char* running = "nothing";
static std::map<std::string, size_t> n_runs;

static void on_fault(int, siginfo_t* info, void*) {
  const Allocation* found = find(info->si_addr);
  fprintf(stderr, "fake driver: kernel %s touched %p: ", running, info->si_addr);
  stop("memory", found && !found->is_live ? "it was freed" : "it is none, or beyond the end of some");
}

// Faults of the program itself, of which there should be none, end up here as well.
static void catch_faults() {
  struct sigaction action = {};
  action.sa_sigaction = on_fault;
  action.sa_flags = SA_SIGINFO;
  sigaction(SIGSEGV, &action, nullptr);
  sigaction(SIGBUS, &action, nullptr);
}

static void run_kernel(const Kernel& kernel, const std::vector<u8>& job, u32 width, u32 height) {
  running = kernel.name;
  ++n_runs[kernel.name];
  kernel.run(job.data(), width, height);
  running = "nothing";
}
