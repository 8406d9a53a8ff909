#include "elementwise.h"

#include <string>

#include "grid.h"
#include "polydomain/error.h"
#include "sigmoid.h"

namespace polydomain::cuda {

namespace {

// A functor of two elements and of the parameters p and q.
#define POLYDOMAIN_FUNCTION(name, value)                                                           \
  struct name {                                                                                    \
    float p, q;                                                                                    \
    POLYDOMAIN_DEVICE float operator()([[maybe_unused]] float a, [[maybe_unused]] float b) const { \
      return value;                                                                                \
    }                                                                                              \
  };

POLYDOMAIN_FUNCTION(Add, a + b)
POLYDOMAIN_FUNCTION(Sub, a - b)
POLYDOMAIN_FUNCTION(Mul, a* b)
POLYDOMAIN_FUNCTION(Div, a / b)
POLYDOMAIN_FUNCTION(Maximum, a != a || a > b ? a : b)
POLYDOMAIN_FUNCTION(Minimum, a != a || a < b ? a : b)
POLYDOMAIN_FUNCTION(Step, a > b ? 1.0f : a == b ? 0.5f : 0.0f)
POLYDOMAIN_FUNCTION(ReluGradient, b > 0.0f ? a : 0.0f)
POLYDOMAIN_FUNCTION(SigmoidGradient, a*(b*(1.0f - b)))
POLYDOMAIN_FUNCTION(TanhGradient, a* std::fma(-b, b, 1.0f))
POLYDOMAIN_FUNCTION(SqrtGradient, a * 0.5f / b)
POLYDOMAIN_FUNCTION(ReciprocalGradient, -(a*(b* b)))
POLYDOMAIN_FUNCTION(SquareGradient, (a + a) * b)
POLYDOMAIN_FUNCTION(AbsGradient, b == 0.0f ? 0.0f : b < 0.0f ? -a : a)
POLYDOMAIN_FUNCTION(SoftplusGradient, a* sigmoidOf(b))
POLYDOMAIN_FUNCTION(ClipGradient, b >= p && b <= q ? a : 0.0f)
POLYDOMAIN_FUNCTION(ActivationGradient, b > 0.0f ? a * p : 0.0f)
POLYDOMAIN_FUNCTION(Neg, -a)
POLYDOMAIN_FUNCTION(Exp, std::exp(a))
POLYDOMAIN_FUNCTION(Log, std::log(a))
POLYDOMAIN_FUNCTION(Sqrt, std::sqrt(a))
POLYDOMAIN_FUNCTION(Square, a* a)
POLYDOMAIN_FUNCTION(Abs, std::abs(a))
POLYDOMAIN_FUNCTION(Relu, a > 0.0f ? a : 0.0f)
POLYDOMAIN_FUNCTION(Sigmoid, sigmoidOf(a))
POLYDOMAIN_FUNCTION(Tanh, std::tanh(a))
POLYDOMAIN_FUNCTION(Softplus, (a > 0.0f ? a : 0.0f) + std::log1p(std::exp(-std::abs(a))))
POLYDOMAIN_FUNCTION(Reciprocal, 1.0f / a)
POLYDOMAIN_FUNCTION(Scale, a* p)
POLYDOMAIN_FUNCTION(AddScalar, a + p)
POLYDOMAIN_FUNCTION(Power,
                    static_cast<float>(std::pow(static_cast<double>(a), static_cast<double>(p))))
POLYDOMAIN_FUNCTION(Clip, a<p ? p : a> q ? q : a)
POLYDOMAIN_FUNCTION(Fill, p)

#undef POLYDOMAIN_FUNCTION

template <class Function>
struct ElementwiseKernel {
  static constexpr int kThreads = 256;
  Function function;
  PolydomainCudaShape shape;
  int64_t count;
  const float* a;
  const float* b;
  float* c;

  POLYDOMAIN_DEVICE void operator()(const Thread& thread) const {
    const int64_t at = thread.block * kThreads + thread.index;
    if (at >= count) return;
    int64_t rest = at, ofA = 0, ofB = 0, ofC = 0;
    for (int d = shape.rank; d-- > 0;) {
      const int64_t outer = d == 0 ? 0 : rest / shape.size[d];
      const int64_t index = rest - outer * shape.size[d];
      rest = outer;
      ofA += index * shape.a[d];
      ofB += index * shape.b[d];
      ofC += index * shape.c[d];
    }
    c[ofC] = function(a == nullptr ? 0.0f : a[ofA], b == nullptr ? 0.0f : b[ofB]);
  }
};

// Calls body with the function.
template <class Body>
void withFunction(int32_t function, float p, float q, const Body& body) {
  switch (function) {
#define POLYDOMAIN_CASE(number, name) \
  case POLYDOMAIN_CUDA_##number:      \
    return body(name{p, q});
    POLYDOMAIN_CASE(ADD, Add)
    POLYDOMAIN_CASE(SUB, Sub)
    POLYDOMAIN_CASE(MUL, Mul)
    POLYDOMAIN_CASE(DIV, Div)
    POLYDOMAIN_CASE(MAXIMUM, Maximum)
    POLYDOMAIN_CASE(MINIMUM, Minimum)
    POLYDOMAIN_CASE(STEP, Step)
    POLYDOMAIN_CASE(RELU_GRADIENT, ReluGradient)
    POLYDOMAIN_CASE(SIGMOID_GRADIENT, SigmoidGradient)
    POLYDOMAIN_CASE(TANH_GRADIENT, TanhGradient)
    POLYDOMAIN_CASE(SQRT_GRADIENT, SqrtGradient)
    POLYDOMAIN_CASE(RECIPROCAL_GRADIENT, ReciprocalGradient)
    POLYDOMAIN_CASE(SQUARE_GRADIENT, SquareGradient)
    POLYDOMAIN_CASE(ABS_GRADIENT, AbsGradient)
    POLYDOMAIN_CASE(SOFTPLUS_GRADIENT, SoftplusGradient)
    POLYDOMAIN_CASE(CLIP_GRADIENT, ClipGradient)
    POLYDOMAIN_CASE(ACTIVATION_GRADIENT, ActivationGradient)
    POLYDOMAIN_CASE(NEG, Neg)
    POLYDOMAIN_CASE(EXP, Exp)
    POLYDOMAIN_CASE(LOG, Log)
    POLYDOMAIN_CASE(SQRT, Sqrt)
    POLYDOMAIN_CASE(SQUARE, Square)
    POLYDOMAIN_CASE(ABS, Abs)
    POLYDOMAIN_CASE(RELU, Relu)
    POLYDOMAIN_CASE(SIGMOID, Sigmoid)
    POLYDOMAIN_CASE(TANH, Tanh)
    POLYDOMAIN_CASE(SOFTPLUS, Softplus)
    POLYDOMAIN_CASE(RECIPROCAL, Reciprocal)
    POLYDOMAIN_CASE(SCALE, Scale)
    POLYDOMAIN_CASE(ADD_SCALAR, AddScalar)
    POLYDOMAIN_CASE(POWER, Power)
    POLYDOMAIN_CASE(CLIP, Clip)
    POLYDOMAIN_CASE(FILL, Fill)
#undef POLYDOMAIN_CASE
  }
  throw Error(ErrorKind::kDevice, "elementwise: function " + std::to_string(function) +
                                      "; expected 0 to " + std::to_string(POLYDOMAIN_CUDA_FILL));
}

}  // namespace

void elementwise(Stream* stream, int32_t function, float p, float q,
                 const PolydomainCudaShape* shape, const float* a, const float* b, float* c) {
  if (shape->rank < 0 || shape->rank > POLYDOMAIN_CUDA_MAX_RANK) {
    throw Error(ErrorKind::kDevice, "elementwise: " + std::to_string(shape->rank) +
                                        " dimensions; expected at most " +
                                        std::to_string(POLYDOMAIN_CUDA_MAX_RANK));
  }
  int64_t count = 1;
  for (int32_t d = 0; d < shape->rank; ++d) count *= shape->size[d];
  withFunction(function, p, q, [&]<class Function>(const Function& made) {
    using Kernel = ElementwiseKernel<Function>;
    launch(*stream, Kernel{made, *shape, count, a, b, c}, ceilDivide(count, Kernel::kThreads));
  });
}

}  // namespace polydomain::cuda
