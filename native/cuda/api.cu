#include "api.h"

#include <exception>

#include "dropout.h"
#include "elementwise.h"
#include "embedding.h"
#include "gemm.h"
#include "interpolate.h"
#include "loss.h"
#include "optimizer_update.h"
#include "reduce.h"
#include "softmax.h"

namespace polydomain::cuda {

namespace {

std::string& lastMessage() {
  thread_local std::string message;
  return message;
}

const char* lastError() { return lastMessage().c_str(); }

template <class Body>
int guarded(const Body& body) noexcept {
  try {
    body();
    return 0;
  } catch (const std::exception& error) {
    lastMessage() = error.what();
    return 1;
  }
}

// A function as the interface has it: its failure becomes a status.
template <auto kFunction>
struct Entry;
template <class... Arguments, void (*kFunction)(Arguments...)>
struct Entry<kFunction> {
  static int call(Arguments... arguments) {
    return guarded([&] { kFunction(arguments...); });
  }
};

// The same of one that returns a value: it goes where the last argument points.
template <auto kFunction>
struct Getter;
template <class Result, class... Arguments, Result (*kFunction)(Arguments...)>
struct Getter<kFunction> {
  static int call(Arguments... arguments, Result* result) {
    return guarded([&] { *result = kFunction(arguments...); });
  }
};

constexpr PolydomainCudaApi kApi = {
    .version = POLYDOMAIN_CUDA_API_VERSION,
    .lastError = lastError,
    .deviceCount = Getter<deviceCount>::call,
    .deviceInfo = Getter<deviceInfo>::call,
    .createStream = Getter<createStream>::call,
    .destroyStream = Entry<destroyStream>::call,
    .synchronize = Entry<synchronize>::call,
    .allocate = Getter<allocate>::call,
    .release = Entry<release>::call,
    .allocateHost = Getter<allocateHost>::call,
    .releaseHost = Entry<releaseHost>::call,
    .copyIn = Entry<copyIn>::call,
    .copyOut = Entry<copyOut>::call,
    .copyWithin = Entry<copyWithin>::call,
    .zero = Entry<zero>::call,
    .beginRecording = Entry<beginRecording>::call,
    .endRecording = Getter<endRecording>::call,
    .replay = Entry<replay>::call,
    .destroyGraph = Entry<destroyGraph>::call,
    .gatherRows = Entry<gatherRows>::call,
    .restoreRows = Entry<restoreRows>::call,
    .sumRows = Entry<sumRows>::call,
    .poolRows = Entry<poolRows>::call,
    .divideByBagSize = Entry<divideByBagSize>::call,
    .updateWeights = Entry<updateWeights>::call,
    .updateRows = Entry<updateRows>::call,
    .lerp = Entry<lerp>::call,
    .lerpRows = Entry<lerpRows>::call,
    .axpy = Entry<axpy>::call,
    .scale = Entry<scale>::call,
    .dot = Entry<dot>::call,
    .product = Entry<product>::call,
    .columnSum = Entry<columnSum>::call,
    .dropout = Entry<dropout>::call,
    .elementwise = Entry<elementwise>::call,
    .sumMiddle = Entry<sumMiddle>::call,
    .softmax = Entry<softmax>::call,
    .softmaxGradient = Entry<softmaxGradient>::call,
    .bceWithLogits = Entry<bceWithLogits>::call,
    .bceWithLogitsGradient = Entry<bceWithLogitsGradient>::call,
};

}  // namespace

const PolydomainCudaApi& api() { return kApi; }

}  // namespace polydomain::cuda
