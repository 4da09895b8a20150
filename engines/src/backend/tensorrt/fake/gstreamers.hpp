// What GStreamer's CUDA library wants to find in a driver before it does anything, besides what this project calls.

#pragma once

API CUresult cuMemAlloc_v2(void** at, size_t n_bytes) { return cuMemAllocAsync(at, n_bytes, nullptr); }

// Rows lie further apart than they are long, by no round number.
API CUresult cuMemAllocPitch_v2(void** at, size_t* pitch, size_t width_bytes, size_t n_rows, unsigned) {
  *pitch = (width_bytes + 15) / 16 * 16 + 48;
  return cuMemAlloc_v2(at, *pitch * n_rows);
}

// The driver waits for all that is done with it.
API CUresult cuMemFree_v2(void* at) {
  WITH_CONTEXT;
  MAY_WAIT;
  finish_all();
  release(at, DEVICE);
  return SUCCESS;
}

API CUresult cuMemAllocHost_v2(void** at, size_t n_bytes) { return cuMemHostAlloc(at, n_bytes, 0); }

API CUresult cuMemcpy2D_v2(const Rectangle* job) { return cuMemcpy2DAsync_v2(job, nullptr); }

API CUresult cuDeviceCanAccessPeer(int* can, int, int) {
  *can = 0;
  return SUCCESS;
}

API CUresult cuDriverGetVersion(int* version) {
  *version = 12000;
  return SUCCESS;
}

API CUresult cuStreamCreate(CUstream* stream, unsigned flags) { return cuStreamCreateWithPriority(stream, flags, 0); }

API CUresult cuStreamDestroy(CUstream stream) { return cuStreamDestroy_v2(stream); }

// Looked up by GStreamer, and called where there is OpenGL, textures or a second GPU in reach, of which there is none.
#define NEVER_CALLED(name) \
  API CUresult name() { stop(#name, "this is not to be called"); }
NEVER_CALLED(cuCtxEnablePeerAccess)
NEVER_CALLED(cuCtxDisablePeerAccess)
NEVER_CALLED(cuGraphicsMapResources)
NEVER_CALLED(cuGraphicsUnmapResources)
NEVER_CALLED(cuGraphicsUnregisterResource)
NEVER_CALLED(cuGraphicsGLRegisterImage)
NEVER_CALLED(cuGraphicsGLRegisterBuffer)
NEVER_CALLED(cuGLGetDevices_v2)
NEVER_CALLED(cuGraphicsResourceSetMapFlags_v2)
NEVER_CALLED(cuGraphicsSubResourceGetMappedArray)
NEVER_CALLED(cuGraphicsResourceGetMappedPointer_v2)
NEVER_CALLED(cuTexObjectCreate)
NEVER_CALLED(cuTexObjectDestroy)
