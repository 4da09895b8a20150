// TensorRT-RTX without a GPU, for the fake CUDA driver: it builds an engine of any network, which gives what it takes with
// red and blue swapped. What it "compiles" when an engine runs first goes to the engine's runtime cache, if it has one.
//
// Classes and functions are those of NVIDIA's headers. Of the classes behind them, only what is called is filled in.

#include <dlfcn.h>

#include <cstring>
#include <string>
#include <vector>

#include "NvInfer.h"
#include "NvOnnxParser.h"

#define API extern "C" __attribute__((visibility("default")))

using namespace nvinfer1;

typedef int (*Copy)(void* to, const void* from, size_t n_bytes, void* stream);

static size_t n_compiled = 0;
static const std::string COMPILED = "compiled for a fake GPU";

// An object of a class that has virtual functions only, of which those do nothing that are not filled in.
template <class Class>
struct Face {
  void** table = functions;
  void* functions[400];
  void* own;

  static void* nothing() { return nullptr; }

  explicit Face(void* own) : own(own) {
    for (void*& function : functions) function = (void*)nothing;
  }

  // A pointer to a virtual function is its place in the table, in bytes and one.
  template <class Member, class Function>
  void fill(Member member, Function function) {
    size_t place;
    memcpy(&place, &member, sizeof place);
    functions[(place - 1) / sizeof(void*)] = (void*)+function;
  }

  Class* face() { return (Class*)this; }
};

template <class Own, class Class>
static Own& own(Face<Class>* face) { return *(Own*)face->own; }

struct Bytes : IHostMemory {
  std::string bytes;
  Face<apiv::VHostMemory> behind{this};

  explicit Bytes(std::string given) : bytes(std::move(given)) {
    behind.fill(&apiv::VHostMemory::data, [](Face<apiv::VHostMemory>* me) -> void* { return &own<Bytes>(me).bytes[0]; });
    behind.fill(&apiv::VHostMemory::size, [](Face<apiv::VHostMemory>* me) -> size_t { return own<Bytes>(me).bytes.size(); });
    mImpl = behind.face();
  }
};

// What is known of a network: the size of its picture. It is the engine's file as well.
struct Shape {
  char magic[8] = "fake";
  Dims dims = {};

  size_t plane_bytes() const { return sizeof(float) * dims.d[2] * dims.d[3]; }
};

struct Tensor : ITensor {
  Shape shape;
  Face<apiv::VTensor> behind{this};

  Tensor() {
    behind.fill(&apiv::VTensor::setDimensions, [](Face<apiv::VTensor>* me, const Dims& dims) { own<Tensor>(me).shape.dims = dims; });
    mImpl = behind.face();
  }
};

struct Network : INetworkDefinition {
  Tensor picture;
  Face<apiv::VNetworkDefinition> behind{this};

  Network() {
    behind.fill(&apiv::VNetworkDefinition::getInput,
                [](Face<apiv::VNetworkDefinition>* me, int32_t) -> ITensor* { return &own<Network>(me).picture; });
    mImpl = behind.face();
  }
};

struct Config : IBuilderConfig {
  Face<apiv::VBuilderConfig> behind{this};

  Config() {
    auto yes = [](void*) { return true; };
    behind.fill(&apiv::VBuilderConfig::setNbComputeCapabilities, yes);
    behind.fill(&apiv::VBuilderConfig::setComputeCapability, yes);
    mImpl = behind.face();
  }
};

struct Builder : IBuilder {
  Face<apiv::VBuilder> behind{this};

  Builder() {
    typedef Face<apiv::VBuilder>* Me;
    behind.fill(&apiv::VBuilder::createNetworkV2, [](Me, uint32_t) -> INetworkDefinition* { return new Network; });
    behind.fill(&apiv::VBuilder::createBuilderConfig, [](Me) -> IBuilderConfig* { return new Config; });
    behind.fill(&apiv::VBuilder::buildSerializedNetwork,
                [](Me, INetworkDefinition& network, IBuilderConfig&) -> IHostMemory* {
                  const Shape& shape = static_cast<Network&>(network).picture.shape;
                  return new Bytes(std::string((const char*)&shape, sizeof shape));
                });
    mImpl = behind.face();
  }
};

struct Cache : IRuntimeCache {
  std::string compiled;
  Face<apiv::VRuntimeCache> behind{this};

  Cache() {
    typedef Face<apiv::VRuntimeCache>* Me;
    behind.fill(&apiv::VRuntimeCache::serialize, [](Me me) -> IHostMemory* { return new Bytes(own<Cache>(me).compiled); });
    behind.fill(&apiv::VRuntimeCache::deserialize, [](Me me, const void* bytes, size_t n_bytes) -> bool {
      std::string given((const char*)bytes, n_bytes);
      if (given != COMPILED) return false;
      own<Cache>(me).compiled = given;
      return true;
    });
    mImpl = behind.face();
  }
};

struct RunConfig : IRuntimeConfig {
  Cache* cache = nullptr;
  Face<apiv::VRuntimeConfig> behind{this};

  RunConfig() {
    typedef Face<apiv::VRuntimeConfig>* Me;
    behind.fill(&apiv::VRuntimeConfig::createRuntimeCache, [](Me) -> IRuntimeCache* { return new Cache; });
    behind.fill(&apiv::VRuntimeConfig::setRuntimeCache, [](Me me, const IRuntimeCache& cache) -> bool {
      own<RunConfig>(me).cache = (Cache*)static_cast<const Cache*>(&cache);
      return true;
    });
    mImpl = behind.face();
  }
};

struct Running : IExecutionContext {
  Shape shape;
  Cache* cache;
  std::string compiled;
  char *input = nullptr, *output = nullptr;
  Face<apiv::VExecutionContext> behind{this};

  Running(const Shape& shape, Cache* cache) : shape(shape), cache(cache) {
    typedef Face<apiv::VExecutionContext>* Me;
    behind.fill(&apiv::VExecutionContext::setInputTensorAddress, [](Me me, const char*, const void* at) -> bool {
      own<Running>(me).input = (char*)at;
      return true;
    });
    behind.fill(&apiv::VExecutionContext::setOutputTensorAddress, [](Me me, const char*, void* at) -> bool {
      own<Running>(me).output = (char*)at;
      return true;
    });
    behind.fill(&apiv::VExecutionContext::enqueueV3,
                [](Me me, cudaStream_t stream) -> bool { return own<Running>(me).run((void*)stream); });
    mImpl = behind.face();
  }

  bool run(void* stream) {
    std::string& known = cache ? cache->compiled : compiled;
    if (known.empty()) {
      known = COMPILED;
      ++n_compiled;
    }
    void* driver = dlopen("libcuda.so.1", RTLD_NOW);
    auto copy = (Copy)dlsym(driver, "cuMemcpyDtoDAsync_v2");
    size_t plane = shape.plane_bytes();
    for (size_t i = 0; i < 3; ++i)
      if (copy(output + i * plane, input + (2 - i) * plane, plane, stream) != 0) return false;
    return true;
  }
};

struct Engine : ICudaEngine {
  Shape shape;
  Face<apiv::VCudaEngine> behind{this};

  explicit Engine(const Shape& given) : shape(given) {
    typedef Face<apiv::VCudaEngine>* Me;
    typedef apiv::VCudaEngine V;
    behind.fill(&V::getNbIOTensors, [](Me) -> int32_t { return 2; });
    behind.fill(&V::getIOTensorName, [](Me, int32_t idx) -> const char* { return idx == 0 ? "in" : "out"; });
    behind.fill(&V::getTensorIOMode, [](Me, const char* name) {
      return strcmp(name, "in") == 0 ? TensorIOMode::kINPUT : TensorIOMode::kOUTPUT;
    });
    behind.fill(&V::getTensorDataType, [](Me, const char*) { return DataType::kFLOAT; });
    behind.fill(&V::getTensorShape, [](Me me, const char*) -> Dims { return own<Engine>(me).shape.dims; });
    behind.fill(&V::createExecutionContext, [](Me me, ExecutionContextAllocationStrategy) -> IExecutionContext* {
      return new Running(own<Engine>(me).shape, nullptr);
    });
    behind.fill(&V::createRuntimeConfig, [](Me) -> IRuntimeConfig* { return new RunConfig; });
    behind.fill(&V::createExecutionContextWithRuntimeConfig, [](Me me, IRuntimeConfig* config) -> IExecutionContext* {
      return new Running(own<Engine>(me).shape, static_cast<RunConfig*>(config)->cache);
    });
    mImpl = behind.face();
  }
};

struct Runtime : IRuntime {
  Face<apiv::VRuntime> behind{this};

  Runtime() {
    behind.fill(&apiv::VRuntime::deserializeCudaEngine,
                [](Face<apiv::VRuntime>*, const void* bytes, size_t n_bytes) -> ICudaEngine* {
                  Shape shape;
                  if (n_bytes != sizeof shape || memcmp(bytes, shape.magic, sizeof shape.magic) != 0) return nullptr;
                  memcpy((void*)&shape, bytes, n_bytes);
                  return new Engine(shape);
                });
    mImpl = behind.face();
  }
};

API int32_t getInferLibMajorVersion() noexcept { return NV_TENSORRT_MAJOR; }
API int32_t getInferLibMinorVersion() noexcept { return NV_TENSORRT_MINOR; }
API int32_t getInferLibPatchVersion() noexcept { return NV_TENSORRT_PATCH; }
API int32_t getInferLibBuildVersion() noexcept { return NV_TENSORRT_BUILD; }

API void* createInferRuntime_INTERNAL(void*, int32_t) noexcept { return static_cast<IRuntime*>(new Runtime); }
API void* createInferBuilder_INTERNAL(void*, int32_t) noexcept { return static_cast<IBuilder*>(new Builder); }

API void* createNvOnnxParser_INTERNAL(void*, void*, int32_t) noexcept {
  auto* parser = new Face<nvonnxparser::IParser>(nullptr);
  parser->fill(&nvonnxparser::IParser::parse, [](void*, const void*, size_t, const char*) { return true; });
  return parser;
}

// How often an engine had to be compiled for the GPU when it first ran.
API size_t fake_count_compiled() { return n_compiled; }
