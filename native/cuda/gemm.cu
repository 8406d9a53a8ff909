#include "gemm.h"

#include <algorithm>

#include "dropout_mask.h"
#include "polydomain/error.h"
#include "sweep.h"

namespace polydomain::cuda {

namespace {

// What happens to elements of the product on their way to memory.
struct Epilogue {
  float* c;
  int64_t ldc, n;
  const float* bias;
  const int32_t* biasRow;
  bool relu;
  DropoutMask mask;
  const float* gate;
  int64_t gateStride;
  float gateScale;

  POLYDOMAIN_DEVICE void begin() { mask.begin(); }

  // Of the W elements of a row from `column` on.
  template <int W>
  POLYDOMAIN_DEVICE void store(int64_t row, int64_t column, Vec<W> x) const {
    if (bias != nullptr) {
      const float* own = biasRow == nullptr ? bias : bias + biasRow[row] * n;
      POLYDOMAIN_UNROLL()
      for (int i = 0; i < W; ++i) x.v[i] += own[column + i];
    }
    if (relu) {
      POLYDOMAIN_UNROLL()
      for (int i = 0; i < W; ++i) x.v[i] = x.v[i] > 0.0f ? x.v[i] : 0.0f;
    }
    mask.apply<W>(static_cast<uint64_t>(row * n + column), x.v);
    if (gate != nullptr) {
      POLYDOMAIN_UNROLL()
      for (int i = 0; i < W; ++i) {
        x.v[i] = gate[row * gateStride + column + i] > 0.0f ? x.v[i] * gateScale : 0.0f;
      }
    }
    float* to = c + row * ldc + column;
    if (W == 4 && reinterpret_cast<uintptr_t>(to) % 16 == 0) {
      cuda::store(to, x);
    } else {
      POLYDOMAIN_UNROLL()
      for (int i = 0; i < W; ++i) to[i] = x.v[i];
    }
  }
};

// A matrix as it is stored. `alongK`: k is the inner dimension.
struct Operand {
  const float* data;
  int64_t stride;
  bool alongK;
  bool aligned;  // 16 bytes, in every row
};

// Elements of a block's tile of an operand that one of its threads brings from memory to
// shared memory, as [k][outer].
template <int kOuter, int kDepth, int kThreads>
struct TileLoader {
  static constexpr int kFours = kOuter * kDepth / 4 / kThreads;
  static_assert(kFours * 4 * kThreads == kOuter * kDepth);
  Vec<4> fours[kFours];

  // Zeros outside of the matrix: [outer0 .., k0 ..] of outers x ks.
  POLYDOMAIN_DEVICE void load(const Operand& from, int index, int64_t outer0, int64_t outers,
                              int64_t k0, int64_t ks) {
    POLYDOMAIN_UNROLL()
    for (int u = 0; u < kFours; ++u) {
      const int at = index + u * kThreads;
      const int64_t slow = from.alongK ? outer0 + at / (kDepth / 4) : k0 + at / (kOuter / 4);
      const int64_t fast =
          from.alongK ? k0 + at % (kDepth / 4) * 4 : outer0 + at % (kOuter / 4) * 4;
      const int64_t slows = from.alongK ? outers : ks, fasts = from.alongK ? ks : outers;
      const float* place = from.data + slow * from.stride + fast;
      if (slow < slows && fast + 4 <= fasts && from.aligned) {
        fours[u] = cuda::load<4>(place);
      } else {
        POLYDOMAIN_UNROLL()
        for (int i = 0; i < 4; ++i) {
          fours[u].v[i] = slow < slows && fast + i < fasts ? place[i] : 0.0f;
        }
      }
    }
  }

  POLYDOMAIN_DEVICE void store(bool alongK, int index, float (*tile)[kOuter + 4]) const {
    POLYDOMAIN_UNROLL()
    for (int u = 0; u < kFours; ++u) {
      const int at = index + u * kThreads;
      if (alongK) {
        const int outer = at / (kDepth / 4), k = at % (kDepth / 4) * 4;
        POLYDOMAIN_UNROLL()
        for (int i = 0; i < 4; ++i) tile[k + i][outer] = fours[u].v[i];
      } else {
        cuda::store(&tile[at / (kOuter / 4)][at % (kOuter / 4) * 4], fours[u]);
      }
    }
  }
};

// A block makes a tile of kM x kN, each thread kTm x kTn of it, in groups of 4 x 4 that lie
// apart so that a warp reads consecutive words of shared memory.
template <int kM, int kN, int kTm, int kTn>
struct GemmKernel {
  static constexpr int kDepth = 16;
  static constexpr int kThreadRows = kM / kTm, kThreadColumns = kN / kTn;
  static constexpr int kThreads = kThreadRows * kThreadColumns;
  static constexpr int kLeastBlocks = 2;  // of a multiprocessor: bounds the registers
  struct Shared {
    alignas(16) float a[2][kDepth][kM + 4];
    alignas(16) float b[2][kDepth][kN + 4];
  };
  Operand a, b;
  int64_t m, n, k;
  int64_t tileRows, tileColumns;
  int64_t kPart;   // of k, of one part; parts lie behind each other in the grid
  float* partial;  // [parts, m, n], null: there is one part, which goes through the epilogue
  Epilogue epilogue;

  POLYDOMAIN_DEVICE void operator()(const Thread& thread, Shared& shared) const {
    const int64_t tile = thread.block % (tileRows * tileColumns);
    const int64_t part = thread.block / (tileRows * tileColumns);
    const int64_t row0 = tile / tileColumns * kM, column0 = tile % tileColumns * kN;
    const int64_t kEnd = (part + 1) * kPart < k ? (part + 1) * kPart : k;
    const int threadRow = thread.index / kThreadColumns * 4;
    const int threadColumn = thread.index % kThreadColumns * 4;

    float sum[kTm][kTn] = {};
    TileLoader<kM, kDepth, kThreads> nextA;
    TileLoader<kN, kDepth, kThreads> nextB;
    int64_t k0 = part * kPart;
    nextA.load(a, thread.index, row0, m, k0, kEnd);
    nextB.load(b, thread.index, column0, n, k0, kEnd);
    nextA.store(a.alongK, thread.index, shared.a[0]);
    nextB.store(b.alongK, thread.index, shared.b[0]);
    thread.barrier();
    for (int now = 0; k0 < kEnd; now ^= 1, k0 += kDepth) {
      const bool more = k0 + kDepth < kEnd;
      if (more) {
        nextA.load(a, thread.index, row0, m, k0 + kDepth, kEnd);
        nextB.load(b, thread.index, column0, n, k0 + kDepth, kEnd);
      }
      POLYDOMAIN_UNROLL()
      for (int step = 0; step < kDepth; ++step) {
        float left[kTm], right[kTn];
        POLYDOMAIN_UNROLL()
        for (int i = 0; i < kTm; i += 4) {
          const Vec<4> four =
              cuda::load<4>(&shared.a[now][step][threadRow + i / 4 * kThreadRows * 4]);
          for (int j = 0; j < 4; ++j) left[i + j] = four.v[j];
        }
        POLYDOMAIN_UNROLL()
        for (int i = 0; i < kTn; i += 4) {
          const Vec<4> four =
              cuda::load<4>(&shared.b[now][step][threadColumn + i / 4 * kThreadColumns * 4]);
          for (int j = 0; j < 4; ++j) right[i + j] = four.v[j];
        }
        POLYDOMAIN_UNROLL()
        for (int i = 0; i < kTm; ++i) {
          POLYDOMAIN_UNROLL()
          for (int j = 0; j < kTn; ++j) sum[i][j] = std::fma(left[i], right[j], sum[i][j]);
        }
      }
      if (more) {
        nextA.store(a.alongK, thread.index, shared.a[now ^ 1]);
        nextB.store(b.alongK, thread.index, shared.b[now ^ 1]);
      }
      thread.barrier();
    }

    Epilogue out = epilogue;
    out.begin();
    POLYDOMAIN_UNROLL()
    for (int i = 0; i < kTm; ++i) {
      const int64_t row = row0 + threadRow + i / 4 * kThreadRows * 4 + i % 4;
      if (row >= m) continue;
      POLYDOMAIN_UNROLL()
      for (int j = 0; j < kTn; j += 4) {
        const int64_t column = column0 + threadColumn + j / 4 * kThreadColumns * 4;
        const Vec<4> four{{sum[i][j], sum[i][j + 1], sum[i][j + 2], sum[i][j + 3]}};
        if (partial != nullptr) {
          float* to = partial + (part * m + row) * n + column;
          for (int e = 0; e < 4; ++e) {
            if (column + e < n) to[e] = four.v[e];
          }
        } else if (column + 4 <= n) {
          out.store(row, column, four);
        } else {
          POLYDOMAIN_UNROLL()
          for (int e = 0; e < 4; ++e) {
            if (column + e < n) out.store(row, column + e, Vec<1>{{four.v[e]}});
          }
        }
      }
    }
  }
};

// A product of one column: kLanes threads add up an element, each every kLanes-th four of its
// terms.
struct RowDotKernel {
  static constexpr int kThreads = 256, kLanes = 8, kRows = kThreads / kLanes;
  struct Shared {
    float partial[kRows][kLanes + 1];
  };
  const float* a;
  const float* b;
  int64_t lda, bStep, m, k;
  bool aligned;
  Epilogue epilogue;

  POLYDOMAIN_DEVICE void operator()(const Thread& thread, Shared& shared) const {
    const int lane = thread.index % kLanes;
    const int64_t row = thread.block * kRows + thread.index / kLanes;
    float sum = 0.0f;
    if (row < m) {
      const float* left = a + row * lda;
      POLYDOMAIN_UNROLL(4)
      for (int64_t at = lane * 4; at < k; at += kLanes * 4) {
        Vec<4> x{}, y{};
        if (aligned && at + 4 <= k) {
          x = cuda::load<4>(left + at);
          y = cuda::load<4>(b + at);
        } else {
          POLYDOMAIN_UNROLL()
          for (int i = 0; i < 4; ++i) {
            if (at + i < k) x.v[i] = left[at + i], y.v[i] = b[(at + i) * bStep];
          }
        }
        POLYDOMAIN_UNROLL()
        for (int i = 0; i < 4; ++i) sum = std::fma(x.v[i], y.v[i], sum);
      }
    }
    shared.partial[thread.index / kLanes][lane] = sum;
    thread.barrier();
    if (lane == 0 && row < m) {
      POLYDOMAIN_UNROLL()
      for (int i = 1; i < kLanes; ++i) sum += shared.partial[thread.index / kLanes][i];
      Epilogue out = epilogue;
      out.begin();
      out.store(row, 0, Vec<1>{{sum}});
    }
  }
};

// Adds up the parts of a product that is cut along k, and does what is left of its epilogue.
struct FinishKernel {
  static constexpr int kThreads = 256;
  const float* from;
  int64_t rowStride, partStride, parts, m, n;
  Epilogue epilogue;

  POLYDOMAIN_DEVICE void operator()(const Thread& thread) const {
    const int64_t at = thread.block * kThreads + thread.index;
    if (at >= m * n) return;
    Epilogue out = epilogue;
    out.begin();
    const int64_t row = at / n, column = at % n;
    const float* own = from + row * rowStride + column;
    float sum = *own;
    POLYDOMAIN_UNROLL(8)
    for (int64_t part = 1; part < parts; ++part) sum += own[part * partStride];
    out.store(row, column, Vec<1>{{sum}});
  }
};

void finish(Stream& stream, const PolydomainCudaProduct& p, const Epilogue& epilogue,
            const float* from, int64_t rowStride, int64_t parts) {
  launch(stream, FinishKernel{from, rowStride, p.m * p.n, parts, p.m, p.n, epilogue},
         ceilDivide(p.m * p.n, FinishKernel::kThreads));
}

Epilogue epilogueOf(const PolydomainCudaProduct& p) {
  return {p.c,    p.ldc,        p.n,        p.bias, p.biasRow, p.relu != 0, {p.random, p.keep},
          p.gate, p.gateStride, p.gateScale};
}

bool rowsAligned(const float* data, int64_t stride) { return aligned16(data) && stride % 4 == 0; }

void launchRowDot(Stream& stream, const PolydomainCudaProduct& p) {
  const int64_t bStep = p.transposeB != 0 ? 1 : p.ldb;
  const bool aligned = bStep == 1 && aligned16(p.b) && rowsAligned(p.a, p.lda);
  launch(stream, RowDotKernel{p.a, p.b, p.lda, bStep, p.m, p.k, aligned, epilogueOf(p)},
         ceilDivide(p.m, RowDotKernel::kRows));
}

template <int kM, int kN, int kTm, int kTn>
void launchProduct(Stream& stream, const PolydomainCudaProduct& p) {
  using Kernel = GemmKernel<kM, kN, kTm, kTn>;
  const int64_t tileRows = ceilDivide(p.m, kM), tileColumns = ceilDivide(p.n, kN);
  const int64_t tiles = tileRows * tileColumns;
  int64_t parts = 1;
  if (p.transposeA != 0) {
    // Enough blocks for a large device, of at least kLeastK steps each.
    constexpr int64_t kBlocks = 256, kLeastK = 128;
    parts = std::min({ceilDivide(kBlocks, tiles), ceilDivide(p.k, kLeastK),
                      static_cast<int64_t>(kWorkspaceBytes / sizeof(float)) / (p.m * p.n)});
    parts = std::max<int64_t>(parts, 1);
  }
  // Parts end where a step of the kernel does.
  const int64_t kPart =
      std::max<int64_t>(ceilDivide(p.k, parts * Kernel::kDepth), 1) * Kernel::kDepth;
  parts = std::max<int64_t>(ceilDivide(p.k, kPart), 1);
  const Epilogue epilogue = epilogueOf(p);
  auto* partial = parts > 1 ? static_cast<float*>(stream.workspace) : nullptr;
  launch(stream,
         Kernel{{p.a, p.lda, p.transposeA == 0, rowsAligned(p.a, p.lda)},
                {p.b, p.ldb, p.transposeB != 0, rowsAligned(p.b, p.ldb)},
                p.m,
                p.n,
                p.k,
                tileRows,
                tileColumns,
                kPart,
                partial,
                epilogue},
         tiles * parts);
  if (parts > 1) finish(stream, p, epilogue, partial, p.n, parts);
}

void ownProduct(Stream& stream, const PolydomainCudaProduct& p) {
  // Larger tiles read less, smaller ones fill a device sooner. No element depends on the choice,
  // unless the product is cut along k.
  if (p.n == 1 && p.transposeA == 0) {
    launchRowDot(stream, p);
  } else if (ceilDivide(p.m, 128) * ceilDivide(p.n, 128) >= 128) {
    launchProduct<128, 128, 8, 8>(stream, p);
  } else if (ceilDivide(p.m, 64) * ceilDivide(p.n, 64) >= 128 || p.transposeA != 0) {
    launchProduct<64, 64, 4, 4>(stream, p);
  } else {
    launchProduct<32, 32, 4, 4>(stream, p);
  }
}

#ifdef __CUDACC__

// cuBLASLt's products, whose epilogues have no rows of biases, dropout or gate.
void blasProduct(Stream& stream, const PolydomainCudaProduct& p) {
  if (!stream.blas) {
    throw Error(ErrorKind::kDevice, "a product was to be made by cuBLASLt, which is not installed");
  }
  PolydomainCudaProduct plain = p;
  Epilogue rest = epilogueOf(p);
  if (p.biasRow != nullptr) {
    plain.bias = nullptr;
    plain.relu = 0;
  } else {
    rest.bias = nullptr;
    rest.relu = false;
  }
  stream.blas->product(stream.queue, plain, stream.workspace, kWorkspaceBytes);
  if (rest.bias != nullptr || p.keep < 1.0f || p.gate != nullptr) {
    finish(stream, p, rest, p.c, p.ldc, 1);
  }
}

bool choosesBlas(const Stream& stream, const PolydomainCudaProduct& p) {
  // It is faster but for a single column (benchmarks/results/cuda-h200.json).
  return p.producer == POLYDOMAIN_CUDA_CUBLASLT ||
         (p.producer == POLYDOMAIN_CUDA_CHOOSE && stream.blas != nullptr && p.k > 0 && p.n > 1);
}

#else

void blasProduct(Stream&, const PolydomainCudaProduct&) {
  throw Error(ErrorKind::kDevice, "the emulation has no cuBLASLt");
}

bool choosesBlas(const Stream&, const PolydomainCudaProduct& p) {
  return p.producer == POLYDOMAIN_CUDA_CUBLASLT;
}

#endif

}  // namespace

void product(Stream* stream, const PolydomainCudaProduct* p) {
  if (p->m == 0 || p->n == 0) return;
  if (choosesBlas(*stream, *p)) {
    blasProduct(*stream, *p);
  } else {
    ownProduct(*stream, *p);
  }
}

}  // namespace polydomain::cuda
