#include "blas.h"

#include <dlfcn.h>

#include <array>
#include <cstdint>
#include <map>
#include <string>

#include "polydomain/error.h"

namespace polydomain::cuda {

namespace {

// What is used of cublasLt.h (versions 12 and 13), which need not be installed to build this.
using Handle = void*;
using Descriptor = void*;
enum : int { kSuccess = 0, kCompute32F = 68, kReal32F = 0, kOpN = 0, kOpT = 1 };
enum DescriptorAttribute : int { kTransA = 3, kTransB = 4, kEpilogue = 7, kBiasPointer = 8 };
enum EpilogueKind : uint32_t { kDefault = 1, kRelu = 2, kBias = 4 };
enum PreferenceAttribute : int { kMaxWorkspace = 1, kAlignmentA = 5, kAlignmentD = 8 };
struct Algorithm {
  uint64_t data[8];
};
struct Heuristic {
  Algorithm algorithm;
  size_t workspace;
  int state;
  float waves;
  int reserved[4];
};

struct Library {
  int (*create)(Handle*);
  int (*destroy)(Handle);
  int (*descCreate)(Descriptor*, int computeType, int scaleType);
  int (*descSet)(Descriptor, int attribute, const void*, size_t);
  int (*descDestroy)(Descriptor);
  int (*layoutCreate)(Descriptor*, int type, uint64_t rows, uint64_t columns, int64_t ld);
  int (*layoutDestroy)(Descriptor);
  int (*preferenceCreate)(Descriptor*);
  int (*preferenceSet)(Descriptor, int attribute, const void*, size_t);
  int (*preferenceDestroy)(Descriptor);
  int (*heuristic)(Handle, Descriptor desc, Descriptor a, Descriptor b, Descriptor c, Descriptor d,
                   Descriptor preference, int wanted, Heuristic*, int* found);
  int (*matmul)(Handle, Descriptor desc, const void* alpha, const void* a, Descriptor layoutA,
                const void* b, Descriptor layoutB, const void* beta, const void* c,
                Descriptor layoutC, void* d, Descriptor layoutD, const Algorithm*, void* workspace,
                size_t workspaceBytes, cudaStream_t);
  bool complete = true;

  explicit Library(void* file) {
    const auto find = [&](auto& function, const char* name) {
      void* symbol = dlsym(file, name);
      complete = complete && symbol != nullptr;
      function = reinterpret_cast<std::decay_t<decltype(function)>>(symbol);
    };
    find(create, "cublasLtCreate");
    find(destroy, "cublasLtDestroy");
    find(descCreate, "cublasLtMatmulDescCreate");
    find(descSet, "cublasLtMatmulDescSetAttribute");
    find(descDestroy, "cublasLtMatmulDescDestroy");
    find(layoutCreate, "cublasLtMatrixLayoutCreate");
    find(layoutDestroy, "cublasLtMatrixLayoutDestroy");
    find(preferenceCreate, "cublasLtMatmulPreferenceCreate");
    find(preferenceSet, "cublasLtMatmulPreferenceSetAttribute");
    find(preferenceDestroy, "cublasLtMatmulPreferenceDestroy");
    find(heuristic, "cublasLtMatmulAlgoGetHeuristic");
    find(matmul, "cublasLtMatmul");
  }
};

// Null where it is not installed. Stays open until the process ends.
const Library* library() {
  static const std::unique_ptr<Library> opened = [] {
    for (const char* name : {"libcublasLt.so.13", "libcublasLt.so.12"}) {
      void* file = dlopen(name, RTLD_NOW | RTLD_LOCAL);
      if (file == nullptr) continue;
      auto found = std::make_unique<Library>(file);
      if (found->complete) return found;
    }
    return std::unique_ptr<Library>();
  }();
  return opened.get();
}

void check(int status, const char* doing) {
  if (status == kSuccess) return;
  throw Error(ErrorKind::kDevice,
              std::string("cuBLASLt failed at ") + doing + ": status " + std::to_string(status));
}

// A descriptor and what ends it.
using Owned = std::unique_ptr<void, int (*)(void*)>;

// A way to make products of one shape, which is found once.
struct Plan {
  Owned desc, a, b, c;
  Algorithm algorithm;
};

// cuBLASLt is column-major: what is stored as [rows, columns] by rows is [columns, rows] to it. So
// C' = op(B)' op(A)', with B as its first operand.
Plan makePlan(const Library& lt, Handle handle, const PolydomainCudaProduct& p, uint32_t epilogue,
              uint32_t alignment, size_t workspaceBytes) {
  Descriptor made = nullptr;
  check(lt.descCreate(&made, kCompute32F, kReal32F), "describing a product");
  Owned desc(made, lt.descDestroy);
  const auto set = [&](int attribute, const auto& value) {
    check(lt.descSet(desc.get(), attribute, &value, sizeof value), "describing a product");
  };
  set(kTransA, static_cast<int32_t>(p.transposeB != 0 ? kOpT : kOpN));
  set(kTransB, static_cast<int32_t>(p.transposeA != 0 ? kOpT : kOpN));
  set(kEpilogue, epilogue);
  const auto layout = [&](bool transposed, int64_t rows, int64_t columns, int64_t stride) {
    if (transposed) std::swap(rows, columns);
    check(lt.layoutCreate(&made, kReal32F, static_cast<uint64_t>(columns),
                          static_cast<uint64_t>(rows), stride),
          "describing a matrix");
    return Owned(made, lt.layoutDestroy);
  };
  Plan plan{std::move(desc),
            layout(p.transposeB != 0, p.k, p.n, p.ldb),
            layout(p.transposeA != 0, p.m, p.k, p.lda),
            layout(false, p.m, p.n, p.ldc),
            {}};
  check(lt.preferenceCreate(&made), "describing what is preferred");
  const Owned preference(made, lt.preferenceDestroy);
  check(lt.preferenceSet(made, kMaxWorkspace, &workspaceBytes, sizeof workspaceBytes),
        "describing what is preferred");
  for (int operand = kAlignmentA; operand <= kAlignmentD; ++operand) {
    check(lt.preferenceSet(made, operand, &alignment, sizeof alignment),
          "describing what is preferred");
  }
  Heuristic best{};
  int found = 0;
  check(lt.heuristic(handle, plan.desc.get(), plan.a.get(), plan.b.get(), plan.c.get(),
                     plan.c.get(), preference.get(), 1, &best, &found),
        "looking for a way");
  if (found == 0) check(best.state, "looking for a way");
  plan.algorithm = best.algorithm;
  return plan;
}

}  // namespace

class Blas::Impl {
 public:
  Impl(const Library& lt, Handle handle) : lt_(lt), handle_(handle, lt.destroy) {}

  void product(cudaStream_t queue, const PolydomainCudaProduct& p, void* workspace,
               size_t workspaceBytes) {
    const uint32_t epilogue = (p.relu != 0 ? kRelu : 0u) | (p.bias != nullptr ? kBias : 0u);
    const auto places = reinterpret_cast<uintptr_t>(p.a) | reinterpret_cast<uintptr_t>(p.b) |
                        reinterpret_cast<uintptr_t>(p.c) | reinterpret_cast<uintptr_t>(p.bias);
    const uint32_t alignment = places % 16 == 0 ? 16 : 4;
    const Key key = {p.m,   p.n,          p.k,          p.lda,    p.ldb,
                     p.ldc, p.transposeA, p.transposeB, epilogue, alignment};
    auto place = plans_.find(key);
    if (place == plans_.end()) {
      const uint32_t kind = epilogue == 0 ? kDefault : epilogue;
      place = plans_.emplace(key, makePlan(lt_, handle_.get(), p, kind, alignment, workspaceBytes))
                  .first;
    }
    const Plan& plan = place->second;
    if (p.bias != nullptr) {
      check(lt_.descSet(plan.desc.get(), kBiasPointer, &p.bias, sizeof p.bias), "setting the bias");
    }
    const float one = 1.0f, zero = 0.0f;
    check(lt_.matmul(handle_.get(), plan.desc.get(), &one, p.b, plan.a.get(), p.a, plan.b.get(),
                     &zero, p.c, plan.c.get(), p.c, plan.c.get(), &plan.algorithm, workspace,
                     workspaceBytes, queue),
          "a product");
  }

 private:
  using Key = std::array<int64_t, 10>;
  const Library& lt_;
  Owned handle_;
  std::map<Key, Plan> plans_;
};

Blas::Blas(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Blas::~Blas() = default;

std::unique_ptr<Blas> Blas::open() {
  const Library* lt = library();
  Handle handle = nullptr;
  if (lt == nullptr || lt->create(&handle) != kSuccess) return nullptr;
  return std::unique_ptr<Blas>(new Blas(std::make_unique<Impl>(*lt, handle)));
}

void Blas::product(cudaStream_t queue, const PolydomainCudaProduct& product, void* workspace,
                   size_t workspaceBytes) {
  impl_->product(queue, product, workspace, workspaceBytes);
}

}  // namespace polydomain::cuda
