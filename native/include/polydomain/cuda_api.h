/* The C interface between the core and the CUDA plugin: one table of functions, found by the name
 * kCudaApiSymbol. The plugin alone is compiled by nvcc; nothing here needs CUDA.
 *
 * Every function returns 0, or 1 when it failed: lastError() then says why, on the same thread.
 * Kernels and copies are queued on a stream and run in order; a failure of a kernel shows at the
 * next synchronize(). Pointers to values are to the device's memory unless they are called host.
 * Values are float32, row-major. Sizes of 0 are allowed everywhere and do nothing; nothing else is
 * checked that only the device could see (ids within the table, say).
 *
 * Numbers that change from step to step (learning rates, the step of the random numbers) are read
 * from the device's memory, so that a recorded graph can be replayed with new ones. */
#ifndef POLYDOMAIN_CUDA_API_H
#define POLYDOMAIN_CUDA_API_H

#include <stddef.h>
#include <stdint.h>

#define POLYDOMAIN_CUDA_API_VERSION 2

#ifdef __cplusplus
extern "C" {
#endif

typedef struct PolydomainCudaStream PolydomainCudaStream;
typedef struct PolydomainCudaGraph PolydomainCudaGraph;

typedef struct PolydomainCudaDevice {
  char name[256];
  int32_t major, minor; /* compute capability */
  int32_t multiprocessors;
  int32_t driverVersion;  /* of CUDA that the driver supports: 1000 major + 10 minor */
  int32_t cublasLt;       /* whether large products go through it */
  uint64_t memory, cache; /* bytes: of the device, of its second-level cache */
} PolydomainCudaDevice;

/* Rows `ids` of a table: row i of the other operand is at its position i. */
typedef struct PolydomainCudaRows {
  const int32_t* ids; /* null: the rows 0 .. count - 1 */
  int64_t count, dim;
} PolydomainCudaRows;

/* Where one term of a sum of rows stands: row `row` of list `list`. */
typedef struct PolydomainCudaPosition {
  int32_t list, row;
} PolydomainCudaPosition;

/* Row r of a list is data + r * stride. */
typedef struct PolydomainCudaList {
  const float* data;
  int64_t stride;
} PolydomainCudaList;

#define POLYDOMAIN_CUDA_MAX_LISTS 64

typedef enum PolydomainCudaOptimizer {
  POLYDOMAIN_CUDA_SGD,
  POLYDOMAIN_CUDA_ADAGRAD,
  POLYDOMAIN_CUDA_ADAM,
  POLYDOMAIN_CUDA_ADAMW
} PolydomainCudaOptimizer;

/* Of one step; in the device's memory. Names as in polydomain/optimizer.h. */
typedef struct PolydomainCudaScalars {
  float learningRate, weightDecay, l2, momentum;
  float beta1, beta2, epsilon, stepSize, biasCorrection2Sqrt;
  float initialAccumulator;
  int32_t nesterov;
} PolydomainCudaScalars;

/* Philox4x32-10 with this key: element i is a function of (key, *step, i) alone. */
typedef struct PolydomainCudaRandom {
  uint32_t key0, key1;
  const uint64_t* step; /* of the device; null: step 0 */
} PolydomainCudaRandom;

typedef enum PolydomainCudaProducer {
  POLYDOMAIN_CUDA_CHOOSE,  /* cuBLASLt where it is installed, but for a single column */
  POLYDOMAIN_CUDA_OWN,     /* the library's own kernel */
  POLYDOMAIN_CUDA_CUBLASLT /* fails where it is not installed */
} PolydomainCudaProducer;

/* C[m, n] = op(A) op(B), then the epilogue in this order: bias, relu, dropout, gate.
 * op(A) is [m, k], stored [m, k] or, transposed, [k, m]; op(B) is [k, n], stored [k, n] or [n, k].
 * See native/cpu/gemm.h for what the epilogue means. */
typedef struct PolydomainCudaProduct {
  int64_t m, n, k;
  const float *a, *b;
  float* c;
  int64_t lda, ldb, ldc; /* elements between rows as stored */
  int32_t transposeA, transposeB;
  const float* bias;      /* null, or [n]; with biasRow [.., n] */
  const int32_t* biasRow; /* null, or [m]: the row of `bias` that is added to each row */
  int32_t relu;
  float keep; /* 1: no dropout */
  PolydomainCudaRandom random;
  const float* gate; /* null, or [m, n]: c = gate > 0 ? value * gateScale : 0 */
  int64_t gateStride;
  float gateScale;
  PolydomainCudaProducer producer;
} PolydomainCudaProduct;

/* What elementwise() computes of a, b and the parameters p and q; native/cpu/elementwise.h says
 * how. Those from NEG on have no b, FILL no a either. */
typedef enum PolydomainCudaFunction {
  POLYDOMAIN_CUDA_ADD,
  POLYDOMAIN_CUDA_SUB,
  POLYDOMAIN_CUDA_MUL,
  POLYDOMAIN_CUDA_DIV,
  POLYDOMAIN_CUDA_MAXIMUM,
  POLYDOMAIN_CUDA_MINIMUM,
  POLYDOMAIN_CUDA_STEP,
  POLYDOMAIN_CUDA_RELU_GRADIENT,
  POLYDOMAIN_CUDA_SIGMOID_GRADIENT,
  POLYDOMAIN_CUDA_TANH_GRADIENT,
  POLYDOMAIN_CUDA_SQRT_GRADIENT,
  POLYDOMAIN_CUDA_RECIPROCAL_GRADIENT,
  POLYDOMAIN_CUDA_SQUARE_GRADIENT,
  POLYDOMAIN_CUDA_ABS_GRADIENT,
  POLYDOMAIN_CUDA_SOFTPLUS_GRADIENT,
  POLYDOMAIN_CUDA_CLIP_GRADIENT,
  POLYDOMAIN_CUDA_ACTIVATION_GRADIENT,
  POLYDOMAIN_CUDA_NEG,
  POLYDOMAIN_CUDA_EXP,
  POLYDOMAIN_CUDA_LOG,
  POLYDOMAIN_CUDA_SQRT,
  POLYDOMAIN_CUDA_SQUARE,
  POLYDOMAIN_CUDA_ABS,
  POLYDOMAIN_CUDA_RELU,
  POLYDOMAIN_CUDA_SIGMOID,
  POLYDOMAIN_CUDA_TANH,
  POLYDOMAIN_CUDA_SOFTPLUS,
  POLYDOMAIN_CUDA_RECIPROCAL,
  POLYDOMAIN_CUDA_SCALE,
  POLYDOMAIN_CUDA_ADD_SCALAR,
  POLYDOMAIN_CUDA_POWER,
  POLYDOMAIN_CUDA_CLIP,
  POLYDOMAIN_CUDA_FILL
} PolydomainCudaFunction;

#define POLYDOMAIN_CUDA_MAX_RANK 8

/* Sizes of dimensions, and how far apart an operand's elements are along each: 0 where it repeats.
 */
typedef struct PolydomainCudaShape {
  int32_t rank;
  int64_t size[POLYDOMAIN_CUDA_MAX_RANK];
  int64_t a[POLYDOMAIN_CUDA_MAX_RANK], b[POLYDOMAIN_CUDA_MAX_RANK], c[POLYDOMAIN_CUDA_MAX_RANK];
} PolydomainCudaShape;

typedef struct PolydomainCudaApi {
  uint32_t version; /* POLYDOMAIN_CUDA_API_VERSION: the rest is laid out as here */
  const char* (*lastError)(void);

  int (*deviceCount)(int32_t* host);
  int (*deviceInfo)(int32_t device, PolydomainCudaDevice* host);

  /* A stream and its own memory for kernels' intermediate values. */
  int (*createStream)(int32_t device, PolydomainCudaStream** host);
  int (*destroyStream)(PolydomainCudaStream*);
  int (*synchronize)(PolydomainCudaStream*);

  int (*allocate)(PolydomainCudaStream*, size_t bytes, void** host);
  int (*release)(PolydomainCudaStream*, void* memory); /* waits for the stream; null is allowed */
  /* Memory of the host that copies from and to the device go fastest with. */
  int (*allocateHost)(PolydomainCudaStream*, size_t bytes, void** host);
  int (*releaseHost)(PolydomainCudaStream*, void* host); /* waits likewise */
  int (*copyIn)(PolydomainCudaStream*, void* to, const void* host, size_t bytes);
  int (*copyOut)(PolydomainCudaStream*, void* host, const void* from, size_t bytes); /* waits */
  int (*copyWithin)(PolydomainCudaStream*, void* to, const void* from, size_t bytes);
  int (*zero)(PolydomainCudaStream*, void* memory, size_t bytes);

  /* What is queued between the two is not run but kept; replay() queues all of it at once. */
  int (*beginRecording)(PolydomainCudaStream*);
  int (*endRecording)(PolydomainCudaStream*, PolydomainCudaGraph** host);
  int (*replay)(PolydomainCudaStream*, PolydomainCudaGraph*);
  int (*destroyGraph)(PolydomainCudaGraph*);

  /* embedding: out row i (`stride` apart) = table row ids[i]. A snapshot of rows, too. */
  int (*gatherRows)(PolydomainCudaStream*, const float* table, PolydomainCudaRows, float* out,
                    int64_t stride);
  /* Table row ids[i] = saved row i: ends a snapshot. Ids differ from each other. */
  int (*restoreRows)(PolydomainCudaStream*, float* table, PolydomainCudaRows, const float* saved);
  /* out row s [dim] = the sum of the rows at positions[offsets[s]] .. positions[offsets[s + 1] - 1]
   * of the lists (host), in this order; `positions` null: rows of list 0 themselves. */
  int (*sumRows)(PolydomainCudaStream*, const PolydomainCudaList* hostLists, int32_t listCount,
                 const PolydomainCudaPosition* positions, const int32_t* offsets, int64_t segments,
                 int64_t dim, float* out);

  /* out row r (`stride` apart) = the sum, or mean, of the table rows of bag r, which has the ids
   * r * width .. that are not -1, in their order; zeros for an empty bag. rows.count: bags. */
  int (*poolRows)(PolydomainCudaStream*, const float* table, PolydomainCudaRows, int64_t width,
                  int32_t mean, float* out, int64_t stride);
  /* out row r [dim] = in row r divided by the size of bag r; zeros for an empty one. */
  int (*divideByBagSize)(PolydomainCudaStream*, const float* in, PolydomainCudaRows, int64_t width,
                         float* out);

  /* optimizer: one step of n weights, or of the rows of a table, whose ids differ from each other.
   * The slabs of state are laid out as the weights; null where the optimizer has none. */
  int (*updateWeights)(PolydomainCudaStream*, int32_t optimizer, const PolydomainCudaScalars*,
                       int64_t n, float* w, const float* g, float* state0, float* state1);
  int (*updateRows)(PolydomainCudaStream*, int32_t optimizer, const PolydomainCudaScalars*,
                    PolydomainCudaRows, float* table, const float* g, float* state0, float* state1);

  /* interpolate: value = saved + rate * (value - saved), of a slab or of a table's rows. */
  int (*lerp)(PolydomainCudaStream*, const float* rate, int64_t n, const float* saved,
              float* values);
  int (*lerpRows)(PolydomainCudaStream*, const float* rate, PolydomainCudaRows, const float* saved,
                  float* table);
  int (*axpy)(PolydomainCudaStream*, const float* scale, int64_t n, const float* from, float* to);
  int (*scale)(PolydomainCudaStream*, const float* factor, int64_t n, float* values);
  /* *out = the sum of a[i] b[i], in double. */
  int (*dot)(PolydomainCudaStream*, int64_t n, const float* a, const float* b, double* out);

  /* mlp */
  int (*product)(PolydomainCudaStream*, const PolydomainCudaProduct* host);
  /* out [columns] = the sum of the rows of x, in double. */
  int (*columnSum)(PolydomainCudaStream*, const float* x, int64_t stride, int64_t rows,
                   int64_t columns, float* out);
  /* y[i] = x[i] / keep where uniform(i) < keep, else 0. */
  int (*dropout)(PolydomainCudaStream*, PolydomainCudaRandom, float keep, int64_t n, const float* x,
                 float* y);

  /* elementwise: c = function(a, b), each along its own strides; c may be a. */
  int (*elementwise)(PolydomainCudaStream*, int32_t function, float p, float q,
                     const PolydomainCudaShape* host, const float* a, const float* b, float* c);
  /* y[o, i] = scale * the sum over r of x[o, r, i], in double. */
  int (*sumMiddle)(PolydomainCudaStream*, int64_t outer, int64_t reduced, int64_t inner,
                   double scale, const float* x, float* y);

  /* softmax, or its logarithm, of each row of x [rows, width]; y may be x. The gradient of x from
   * that of y and y itself; out may be gradient. */
  int (*softmax)(PolydomainCudaStream*, int32_t logarithm, int64_t rows, int64_t width,
                 const float* x, float* y);
  int (*softmaxGradient)(PolydomainCudaStream*, int32_t logarithm, int64_t rows, int64_t width,
                         const float* gradient, const float* y, float* out);

  /* loss: mean binary cross entropy of logits (native/cpu/loss.h), and the logits' gradient, given
   * that of the mean; `weights` may be null. */
  int (*bceWithLogits)(PolydomainCudaStream*, int64_t rows, const float* logits,
                       const float* labels, const float* weights, float* out);
  int (*bceWithLogitsGradient)(PolydomainCudaStream*, int64_t rows, const float* logits,
                               const float* labels, const float* weights, const float* gradient,
                               float* out);
} PolydomainCudaApi;

/* The plugin's one exported function, and its name. */
typedef const PolydomainCudaApi* (*PolydomainCudaApiFunction)(void);
#define POLYDOMAIN_CUDA_API_SYMBOL "polydomainCudaApi"

#ifdef __cplusplus
}
#endif

#endif
