#pragma once

#include <memory>
#include <string>
#include <vector>

#include "polydomain/graph.h"
#include "polydomain/optimizer.h"
#include "polydomain/profile.h"
#include "polydomain/space.h"

namespace polydomain {

class DeviceSpace;

enum class Mode : uint8_t {
  kTrain,     // forward, backward, optimizer step on every trained parameter
  kGradient,  // forward, backward, gradients added to a GradientBuffer
  kEvaluate,  // forward with loss, nothing random, nothing written
  kPredict    // forward without loss
};

struct ProgramOptions {
  Mode mode = Mode::kPredict;
  ValueId output = kNoValue;  // [rows] or [rows, 1]: the logits
  ValueId loss = kNoValue;    // scalar; not for kPredict
  // kTrain, kGradient: which parameters get gradients, and which running averages move; empty: all.
  Selection trained;
  bool dropout = true;  // kTrain, kGradient: false leaves it out
  bool fuse = true;     // false only in tests: the graph as traced
  // Where the steps run: a device that mirrors the space, which outlives the program; null: the
  // CPU. Not for kPredict. An op without a kernel there throws Error(kDevice).
  DeviceSpace* device = nullptr;
};

// One column of the batch: int32 ids or float32 values, [rows] contiguous.
struct InputColumn {
  const void* data = nullptr;
};

// A model's graph, differentiated, fused, with memory planned once; runs any number of rows up to
// its capacity, which grows on demand. Not thread-safe: one program runs once at a time.
class Program {
 public:
  // Parameters of the graph are found in `space` by name. Throws Error(kConfig, kShape).
  Program(const Graph& graph, ParameterSpace& space, ProgramOptions options);
  ~Program();
  Program(const Program&) = delete;
  Program& operator=(const Program&) = delete;

  struct Run {
    ThreadPool* pool = nullptr;
    int64_t rows = 0;
    uint64_t seed = 0, step = 0;          // of dropout
    std::vector<InputColumn> inputs;      // in the order of inputNames()
    OptimizerState* optimizer = nullptr;  // kTrain; kGradient: whose steps rows may lack, if any
    GradientBuffer* gradients = nullptr;  // kGradient
    float gradientScale = 1.0f;
    // kEvaluate, kPredict on the CPU; a device's pass knows it:
    OverlayId overlay = -1;        // whose effective values to read
    const float* dense = nullptr;  // dense slab to read (else shared)
    Profile* profile = nullptr;    // gets the time of each step, if any
  };

  // Announces to the space that the trained dense parameters will be written: once before the steps
  // of a pass, after marks and overlays were opened.
  void beginPass();
  // Runs once. kTrain: throws Error(kTraining), before anything is written, when the loss is not
  // finite. The scratch memory keeps the values of output and loss until the next run.
  void run(const Run& run);

  const std::vector<std::string>& inputNames() const;
  DType inputType(size_t input) const;
  // Values that an input needs for a batch of `rows`: as many, or its own fixed size.
  int64_t inputSize(size_t input, int64_t rows) const;
  // Throws Error(kData) naming the input and the row when an id is outside the tables it reads.
  void checkIds(size_t input, const void* column, int64_t rows) const;
  const float* output() const;  // [rows]
  float loss() const;
  size_t scratchBytes() const;
  std::string describe() const;  // one line per step, after fusion

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace polydomain
