// What the kernels of the CUDA plugin reach on this machine's device, as JSON: rates of the
// memory-bound ones beside that of the driver's copy on the device, and the step of an MLP.
//
//   cuda_bench [rounds]

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "polydomain/cuda.h"
#include "polydomain/random.h"

namespace polydomain {
namespace {

const PolydomainCudaApi* api = nullptr;
PolydomainCudaStream* stream = nullptr;
int rounds = 15;

void require(int status) { requireCuda(*api, status); }

template <class T>
class Array {
 public:
  explicit Array(int64_t size) : size_(static_cast<size_t>(size)) {
    void* memory = nullptr;
    require(api->allocate(stream, size_ * sizeof(T), &memory));
    data_ = static_cast<T*>(memory);
    require(api->zero(stream, data_, size_ * sizeof(T)));
  }
  explicit Array(const std::vector<T>& values) : Array(static_cast<int64_t>(values.size())) {
    write(values);
  }
  ~Array() { api->release(stream, data_); }
  Array(const Array&) = delete;
  Array& operator=(const Array&) = delete;
  T* data() const { return data_; }
  void write(const std::vector<T>& values) {
    require(api->copyIn(stream, data_, values.data(), values.size() * sizeof(T)));
  }

 private:
  size_t size_;
  T* data_ = nullptr;
};

// A large array of random values: a block of them, repeated.
void fill(const Array<float>& array, int64_t size) {
  constexpr int64_t kBlock = int64_t{1} << 20;
  std::vector<float> values(static_cast<size_t>(std::min(size, kBlock)));
  fillUniform({1, 2, 3}, 0, static_cast<int64_t>(values.size()), -1.0f, 1.0f, values.data());
  for (int64_t at = 0; at < size; at += kBlock) {
    const auto count = static_cast<size_t>(std::min(kBlock, size - at));
    require(api->copyIn(stream, array.data() + at, values.data(), count * sizeof(float)));
  }
  require(api->synchronize(stream));
}

// Median seconds of one call, over rounds of so many.
double secondsOf(int calls, const std::function<void()>& work) {
  std::vector<double> seconds;
  for (int round = -2; round < rounds; ++round) {  // two to warm up
    const auto begin = std::chrono::steady_clock::now();
    for (int call = 0; call < calls; ++call) work();
    require(api->synchronize(stream));
    const std::chrono::duration<double> spent = std::chrono::steady_clock::now() - begin;
    if (round >= 0) seconds.push_back(spent.count() / calls);
  }
  std::ranges::sort(seconds);
  return seconds[seconds.size() / 2];
}

class Json {
 public:
  void number(const std::string& name, double value) {
    char text[64];
    std::snprintf(text, sizeof text, "%.6g", value);
    add(name, text);
  }
  void text(const std::string& name, const std::string& value) { add(name, '"' + value + '"'); }
  void object(const std::string& name, const Json& value) { add(name, value.done()); }
  std::string done() const { return "{" + members_ + "}"; }

 private:
  void add(const std::string& name, const std::string& value) {
    members_ += (members_.empty() ? "" : ",") + ('"' + name + "\":" + value);
  }
  std::string members_;
};

// Bytes that an operation has to move, over its time.
class Rates {
 public:
  void add(const std::string& name, int64_t floats, int streams,
           const std::function<void()>& work) {
    const double bytes = static_cast<double>(floats) * streams * sizeof(float);
    const double rate = bytes / secondsOf(5, work) * 1e-9;
    if (copy_ == 0.0) copy_ = rate;  // the first one is the copy
    Json one;
    one.number("gigabytesPerSecond", rate);
    one.number("ofCopy", rate / copy_);
    json_.object(name, one);
    std::fprintf(stderr, "%-28s %8.0f GB/s  %.2f\n", name.c_str(), rate, rate / copy_);
  }
  const Json& json() const { return json_; }

 private:
  double copy_ = 0.0;
  Json json_;
};

PolydomainCudaScalars adamScalars() {
  PolydomainCudaScalars scalars{};
  scalars.learningRate = 1e-3f;
  scalars.beta1 = 0.9f;
  scalars.beta2 = 0.999f;
  scalars.epsilon = 1e-8f;
  scalars.stepSize = 1e-2f;
  scalars.biasCorrection2Sqrt = 0.03f;
  return scalars;
}

void slabs(Rates& rates) {
  constexpr int64_t kFloats = int64_t{1} << 28;  // 1 GiB
  const Array<float> a(kFloats), b(kFloats), factor(std::vector<float>{0.999f});
  const Array<double> sum(1);
  fill(a, kFloats);
  fill(b, kFloats);
  rates.add("copy", kFloats, 2,
            [&] { require(api->copyWithin(stream, b.data(), a.data(), kFloats * sizeof(float))); });
  rates.add("lerp", kFloats, 3,
            [&] { require(api->lerp(stream, factor.data(), kFloats, a.data(), b.data())); });
  rates.add("axpy", kFloats, 3,
            [&] { require(api->axpy(stream, factor.data(), kFloats, a.data(), b.data())); });
  rates.add("scale", kFloats, 2,
            [&] { require(api->scale(stream, factor.data(), kFloats, b.data())); });
  rates.add("dot", kFloats, 2,
            [&] { require(api->dot(stream, kFloats, a.data(), b.data(), sum.data())); });
  const Array<float> first(kFloats), second(kFloats);
  const Array<PolydomainCudaScalars> scalars(std::vector{adamScalars()});
  rates.add("adam", kFloats, 7, [&] {
    require(api->updateWeights(stream, POLYDOMAIN_CUDA_ADAM, scalars.data(), kFloats, b.data(),
                               a.data(), first.data(), second.data()));
  });
}

// A quarter of a table's rows, at random.
void rows(Rates& rates, int64_t dim) {
  const int64_t floats = int64_t{1} << 28, tableRows = floats / dim;
  const int64_t touched = tableRows / 4, own = touched * dim;
  const std::string name = " rows of " + std::to_string(dim);
  const Array<float> table(floats), saved(own), factor(std::vector<float>{0.5f});
  fill(table, floats);
  std::vector<int32_t> order(static_cast<size_t>(tableRows));
  fillPermutation({1, 2, 3}, tableRows, order.data());
  order.resize(static_cast<size_t>(touched));
  const Array<int32_t> ids(order);
  const PolydomainCudaRows some{ids.data(), touched, dim};
  rates.add("lookup," + name, own, 2,
            [&] { require(api->gatherRows(stream, table.data(), some, saved.data(), dim)); });
  rates.add("restore," + name, own, 2,
            [&] { require(api->restoreRows(stream, table.data(), some, saved.data())); });
  rates.add("lerp," + name, own, 3, [&] {
    require(api->lerpRows(stream, factor.data(), some, saved.data(), table.data()));
  });
  // Every id stands twice in the batch.
  const int64_t halves = touched / 2;
  std::vector<PolydomainCudaPosition> positions;
  std::vector<int32_t> offsets = {0};
  for (int64_t i = 0; i < halves; ++i) {
    positions.push_back({0, static_cast<int32_t>(i)});
    positions.push_back({0, static_cast<int32_t>(i + halves)});
    offsets.push_back(static_cast<int32_t>(positions.size()));
  }
  const Array<PolydomainCudaPosition> places(positions);
  const Array<int32_t> borders(offsets);
  const Array<float> sums(halves * dim);
  const PolydomainCudaList list{saved.data(), dim};
  rates.add("sum of equal ids," + name, halves * dim, 3, [&] {
    require(
        api->sumRows(stream, &list, 1, places.data(), borders.data(), halves, dim, sums.data()));
  });
  const Array<float> first(floats), second(floats);
  const Array<PolydomainCudaScalars> scalars(std::vector{adamScalars()});
  rates.add("adam," + name, own, 7, [&] {
    require(api->updateRows(stream, POLYDOMAIN_CUDA_ADAM, scalars.data(), some, table.data(),
                            saved.data(), first.data(), second.data()));
  });
}

// Fields of 3 x 128 columns, layers of 256, 128, 64 and 1 with relu and dropout 0.5, mean binary
// cross entropy, gradients of all weights and of the input, one step of Adam.
class Mlp {
 public:
  Mlp(int64_t rows, PolydomainCudaProducer producer) : rows_(rows), producer_(producer) {
    int64_t at = 0;
    for (size_t i = 0; i + 1 < kWidths.size(); ++i) {
      layers_.push_back({kWidths[i], kWidths[i + 1], at, at + kWidths[i] * kWidths[i + 1]});
      at = (layers_.back().bias + kWidths[i + 1] + 127) / 128 * 128;
    }
    size_ = at;
    // Weights, gradient, and Adam's two moments.
    for (int i = 0; i < 4; ++i) slabs_.push_back(std::make_unique<Array<float>>(size_));
    fill(*slabs_[0], size_);
    const Array<float> small(std::vector<float>{0.05f});
    require(api->scale(stream, small.data(), size_, weights()));
    for (const int64_t width : kWidths) {
      values_.push_back(std::make_unique<Array<float>>(rows * width));
      gradients_.push_back(std::make_unique<Array<float>>(rows * width));
    }
    fill(*values_[0], rows * kWidths[0]);
    std::vector<float> labels(static_cast<size_t>(rows));
    for (size_t i = 0; i < labels.size(); ++i) labels[i] = i % 3 == 0 ? 1.0f : 0.0f;
    labels_.write(labels);
    require(api->synchronize(stream));
  }

  void step() {
    beginStep();
    queue();
  }
  void record() {
    require(api->beginRecording(stream));
    queue();
    require(api->endRecording(stream, &graph_));
  }
  void replay() {
    beginStep();
    require(api->replay(stream, graph_));
  }
  ~Mlp() {
    if (graph_ != nullptr) api->destroyGraph(graph_);
  }
  float loss() const {
    float host = 0.0f;
    require(api->copyOut(stream, &host, loss_.data(), sizeof host));
    return host;
  }

 private:
  struct Layer {
    int64_t in, out, weight, bias;  // weight [out, in]
  };
  struct Step {
    PolydomainCudaScalars scalars;
    uint64_t number;
  };
  static constexpr float kKeep = 0.5f;
  const std::vector<int64_t> kWidths = {384, 256, 128, 64, 1};

  float* weights() const { return slabs_[0]->data(); }
  float* gradient() const { return slabs_[1]->data(); }

  void beginStep() {
    now_.scalars = adamScalars();
    ++now_.number;
    const double t = static_cast<double>(now_.number);
    const double rate = now_.scalars.learningRate;
    now_.scalars.stepSize = static_cast<float>(rate / (1.0 - std::pow(0.9, t)));
    now_.scalars.biasCorrection2Sqrt = static_cast<float>(std::sqrt(1.0 - std::pow(0.999, t)));
    require(api->copyIn(stream, onDevice_.data(), &now_, sizeof now_));
  }

  PolydomainCudaProduct product(int64_t m, int64_t n, int64_t k) const {
    PolydomainCudaProduct p{};
    p.m = m;
    p.n = n;
    p.k = k;
    p.keep = 1.0f;
    p.producer = producer_;
    return p;
  }

  void queue() {
    for (size_t i = 0; i < layers_.size(); ++i) {
      const Layer& layer = layers_[i];
      PolydomainCudaProduct p = product(rows_, layer.out, layer.in);
      p.a = values_[i]->data();
      p.lda = layer.in;
      p.b = weights() + layer.weight;
      p.ldb = layer.in;
      p.transposeB = 1;
      p.c = values_[i + 1]->data();
      p.ldc = layer.out;
      p.bias = weights() + layer.bias;
      if (i + 1 < layers_.size()) {
        p.relu = 1;
        p.keep = kKeep;
        p.random = {static_cast<uint32_t>(i), 7, &onDevice_.data()->number};
      }
      require(api->product(stream, &p));
    }
    const float* logits = values_.back()->data();
    require(api->bceWithLogits(stream, rows_, logits, labels_.data(), nullptr, loss_.data()));
    require(api->bceWithLogitsGradient(stream, rows_, logits, labels_.data(), nullptr, one_.data(),
                                       gradients_.back()->data()));
    for (size_t i = layers_.size(); i-- > 0;) {
      const Layer& layer = layers_[i];
      const float* above = gradients_[i + 1]->data();
      PolydomainCudaProduct p = product(layer.out, layer.in, rows_);
      p.a = above;
      p.lda = layer.out;
      p.transposeA = 1;
      p.b = values_[i]->data();
      p.ldb = layer.in;
      p.c = gradient() + layer.weight;
      p.ldc = layer.in;
      require(api->product(stream, &p));
      require(api->columnSum(stream, above, layer.out, rows_, layer.out, gradient() + layer.bias));
      p = product(rows_, layer.in, layer.out);
      p.a = above;
      p.lda = layer.out;
      p.b = weights() + layer.weight;
      p.ldb = layer.in;
      p.c = gradients_[i]->data();
      p.ldc = layer.in;
      if (i > 0) {
        p.gate = values_[i]->data();
        p.gateStride = layer.in;
        p.gateScale = 1.0f / kKeep;
      }
      require(api->product(stream, &p));
    }
    require(api->updateWeights(stream, POLYDOMAIN_CUDA_ADAM, &onDevice_.data()->scalars, size_,
                               weights(), gradient(), slabs_[2]->data(), slabs_[3]->data()));
  }

  int64_t rows_;
  PolydomainCudaProducer producer_;
  std::vector<Layer> layers_;
  int64_t size_ = 0;
  std::vector<std::unique_ptr<Array<float>>> slabs_, values_, gradients_;
  Array<float> labels_{rows_}, loss_{1}, one_{std::vector<float>{1.0f}};
  Array<Step> onDevice_{1};
  Step now_{};
  PolydomainCudaGraph* graph_ = nullptr;
};

Json mlp(int64_t rows, bool cublasLt) {
  Json times;
  const auto add = [&](const std::string& name, PolydomainCudaProducer producer) {
    Mlp model(rows, producer);
    model.step();  // finds the products' ways, outside of the recording
    model.record();
    const double queued = secondsOf(50, [&] { model.step(); });
    const double replayed = secondsOf(50, [&] { model.replay(); });
    if (!std::isfinite(model.loss())) throw std::runtime_error("the loss is not finite");
    Json one;
    one.number("queuedMilliseconds", queued * 1e3);
    one.number("replayedMilliseconds", replayed * 1e3);
    one.number("loss", model.loss());
    times.object(name, one);
    std::fprintf(stderr, "MLP, %ld rows, %-9s %8.3f ms, as a graph %8.3f ms\n",
                 static_cast<long>(rows), name.c_str(), queued * 1e3, replayed * 1e3);
  };
  add("chosen", POLYDOMAIN_CUDA_CHOOSE);
  add("own", POLYDOMAIN_CUDA_OWN);
  if (cublasLt) add("cublasLt", POLYDOMAIN_CUDA_CUBLASLT);
  return times;
}

// The products of the MLP one by one: TFLOP/s by the own kernel and by cuBLASLt.
Json products(int64_t rows, bool cublasLt) {
  struct Shape {
    const char* name;
    bool transposeA, transposeB;
    int64_t m, n, k;
  };
  Json rates;
  for (const Shape& s : {Shape{"forward 384-256", false, true, rows, 256, 384},
                         Shape{"forward 256-128", false, true, rows, 128, 256},
                         Shape{"forward 128-64", false, true, rows, 64, 128},
                         Shape{"forward 64-1", false, true, rows, 1, 64},
                         Shape{"input gradient 384-256", false, false, rows, 384, 256},
                         Shape{"input gradient 256-128", false, false, rows, 256, 128},
                         Shape{"weight gradient 384-256", true, false, 256, 384, rows},
                         Shape{"weight gradient 256-128", true, false, 128, 256, rows},
                         Shape{"square", false, true, rows, rows, rows}}) {
    if (s.n > 4096) continue;
    const Array<float> a(s.m * s.k), b(s.k * s.n), c(s.m * s.n);
    fill(a, s.m * s.k);
    fill(b, s.k * s.n);
    PolydomainCudaProduct p{};
    p.m = s.m;
    p.n = s.n;
    p.k = s.k;
    p.a = a.data();
    p.b = b.data();
    p.c = c.data();
    p.transposeA = s.transposeA;
    p.transposeB = s.transposeB;
    p.lda = s.transposeA ? s.m : s.k;
    p.ldb = s.transposeB ? s.k : s.n;
    p.ldc = s.n;
    p.keep = 1.0f;
    const double operations =
        2.0 * static_cast<double>(s.m) * static_cast<double>(s.n) * static_cast<double>(s.k);
    Json one;
    const auto add = [&](const char* name, PolydomainCudaProducer producer) {
      p.producer = producer;
      // A graph of several, so that launching them is not what is measured.
      PolydomainCudaGraph* graph = nullptr;
      constexpr int kTimes = 20;
      require(api->product(stream, &p));  // finds the way, outside of the recording
      require(api->beginRecording(stream));
      for (int i = 0; i < kTimes; ++i) require(api->product(stream, &p));
      require(api->endRecording(stream, &graph));
      const double seconds = secondsOf(2, [&] { require(api->replay(stream, graph)); }) / kTimes;
      require(api->destroyGraph(graph));
      one.number(std::string(name) + "Microseconds", seconds * 1e6);
      one.number(std::string(name) + "TeraflopsPerSecond", operations / seconds * 1e-12);
      std::fprintf(stderr, "%6ld rows, %-24s %-9s %8.1f us %6.1f TFLOP/s\n",
                   static_cast<long>(rows), s.name, name, seconds * 1e6,
                   operations / seconds * 1e-12);
    };
    add("own", POLYDOMAIN_CUDA_OWN);
    if (cublasLt) add("cublasLt", POLYDOMAIN_CUDA_CUBLASLT);
    rates.object(s.name, one);
  }
  return rates;
}

void bench() {
  api = &openCudaPlugin(cudaPluginPath());
  PolydomainCudaDevice device;
  require(api->deviceInfo(0, &device));
  require(api->createStream(0, &stream));
  Json all;
  all.text("device", device.name);
  all.number("multiprocessors", device.multiprocessors);
  all.number("cudaOfDriver", device.driverVersion);
  all.number("rounds", rounds);
  Rates rates;
  slabs(rates);
  rows(rates, 128);
  rows(rates, 16);
  all.object("memoryBound", rates.json());
  const bool cublasLt = device.cublasLt != 0;
  for (const int64_t batch : {1024, 16384}) {
    const std::string suffix = ", batch " + std::to_string(batch);
    all.object("mlp" + suffix, mlp(batch, cublasLt));
    all.object("products" + suffix, products(batch, cublasLt));
  }
  require(api->destroyStream(stream));
  std::printf("%s\n", all.done().c_str());
}

}  // namespace
}  // namespace polydomain

int main(int count, char** arguments) {
  try {
    if (count > 1) polydomain::rounds = std::max(1, std::atoi(arguments[1]));
    polydomain::bench();
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
}
