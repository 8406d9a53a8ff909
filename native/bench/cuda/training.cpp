// A pass of training through a session on this machine's device and on its CPU, as JSON: an MLP
// over tables of 128 columns, batches of 1,024 rows of all domains, dropout and Adam.
//
//   cuda_training_bench [passes]

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <map>
#include <string>
#include <vector>

#include "polydomain/session.h"

namespace polydomain {
namespace {

constexpr int64_t kUsers = 200000, kItems = 60000, kDomains = 30, kDim = 128;
constexpr int64_t kBatch = 1024, kSteps = 400, kDataRows = kBatch * kSteps;
constexpr double kKeep = 0.5;
const std::vector<int64_t> kWidths = {3 * kDim, 256, 128, 64, 1};

std::vector<ParameterSpec> parameters() {
  const Initializer normal{InitKind::kNormal, 0.0f, 0.05f};
  std::vector<ParameterSpec> specs = {
      {"user", ParameterKind::kTable, {kUsers, kDim}, normal, 0.0f},
      {"item", ParameterKind::kTable, {kItems, kDim}, normal, 0.0f},
      {"domain", ParameterKind::kTable, {kDomains, kDim}, normal, 0.0f}};
  for (size_t i = 0; i + 1 < kWidths.size(); ++i) {
    const std::string name = "layer" + std::to_string(i);
    specs.push_back(
        {name + ".weight", ParameterKind::kDense, {kWidths[i + 1], kWidths[i]}, normal, 0.0f});
    specs.push_back({name + ".bias", ParameterKind::kDense, {kWidths[i + 1]}, {}, 0.0f});
  }
  return specs;
}

ProgramOptions trace(Graph& graph) {
  const std::vector<ParameterSpec> specs = parameters();
  const auto parameter = [&](size_t index) {
    return graph.parameter(specs[index].name, {DType::kFloat32, specs[index].shape});
  };
  std::vector<ValueId> fields;
  for (const char* input : {"feature:0", "feature:1", "domain"}) {
    const ValueId ids = graph.input(input, {DType::kInt32, {kRows}});
    fields.push_back(graph.add("embedding", {parameter(fields.size()), ids}));
  }
  ValueId x = graph.add("concat", fields);
  for (size_t i = 0; i + 1 < kWidths.size(); ++i) {
    x = graph.add("linear", {x, parameter(3 + 2 * i), parameter(4 + 2 * i)});
    if (i + 2 == kWidths.size()) break;
    x = graph.add("dropout", {graph.add("relu", {x})},
                  {{"keep", kKeep}, {"stream", static_cast<int64_t>(i)}});
  }
  const ValueId label = graph.input("label", {DType::kFloat32, {kRows}});
  ProgramOptions options;
  options.output = x;
  options.loss = graph.add("bce_with_logits", {x, label});
  return options;
}

std::vector<int32_t> randomIds(int64_t below, uint64_t sequence) {
  std::vector<float> uniform(static_cast<size_t>(kDataRows));
  fillUniform({1, 2, sequence}, 0, kDataRows, 0.0f, static_cast<float>(below), uniform.data());
  return {uniform.begin(), uniform.end()};
}

struct Measured {
  double millisecondsPerStep = 0.0, loss = 0.0;
  std::map<std::string, double> parts;  // milliseconds of a step by what they were spent on
};

// The best of some passes behind one that warms up.
Measured measure(std::shared_ptr<Device> device, int passes) {
  const std::vector<int32_t> users = randomIds(kUsers, 1), items = randomIds(kItems, 2);
  std::vector<float> labels(static_cast<size_t>(kDataRows));
  for (size_t row = 0; row < labels.size(); ++row) labels[row] = users[row] % 3 == 0 ? 1.0f : 0.0f;
  SplitData split;
  split.rows = kDataRows;
  split.ids = {users.data(), items.data()};
  split.labels = labels.data();
  for (int64_t d = 0; d <= kDomains; ++d) split.domainOffsets.push_back(kDataRows * d / kDomains);

  const auto pool = std::make_shared<ThreadPool>(ThreadPool::defaultThreads());
  const auto space =
      std::make_shared<ParameterSpace>(parameters(), 1, ParameterSpace::StartLater{});
  space->start(*pool);
  Session::Options options;
  options.batchSize = kBatch;
  options.device = std::move(device);
  Session session(space, pool, options);
  session.addSplit(split);
  session.addOptimizer({});
  Graph graph;
  const ProgramOptions traced = trace(graph);
  session.addTrainingProgram(graph, traced);
  Measured best;
  for (int pass = -1; pass < passes; ++pass) {
    Command run{};
    run.kind = CommandKind::kRun;
    run.mixed = true;
    run.pass = pass + 1;
    if (pass + 1 == passes) session.startProfile();
    const auto begin = std::chrono::steady_clock::now();
    best.loss = session.run({run}, {}).results[0].loss;
    const std::chrono::duration<double, std::milli> spent =
        std::chrono::steady_clock::now() - begin;
    const double step = spent.count() / kSteps;
    if (pass >= 0 && (pass == 0 || step < best.millisecondsPerStep))
      best.millisecondsPerStep = step;
  }
  const Profile& profile = *session.profile();
  for (const Profile::Total& total : profile.spans().back().totals) {
    best.parts[profile.labels()[static_cast<size_t>(total.label)]] =
        static_cast<double>(total.nanoseconds) * 1e-6 / kSteps;
  }
  return best;
}

std::string json(const Measured& measured) {
  std::string text = "{\"millisecondsPerStep\":" + std::to_string(measured.millisecondsPerStep) +
                     ",\"loss\":" + std::to_string(measured.loss) + ",\"parts\":{";
  for (const auto& [name, milliseconds] : measured.parts) {
    if (text.back() != '{') text += ',';
    text += '"' + name + "\":" + std::to_string(milliseconds);
  }
  return text + "}}";
}

}  // namespace
}  // namespace polydomain

int main(int count, char** arguments) {
  try {
    const int passes = count > 1 ? std::max(1, std::atoi(arguments[1])) : 3;
    const std::string device =
        polydomain::json(polydomain::measure(polydomain::Device::open(), passes));
    const std::string cpu = polydomain::json(polydomain::measure(nullptr, passes));
    std::printf("{\"steps\":%ld,\"device\":%s,\"cpu\":%s}\n", static_cast<long>(polydomain::kSteps),
                device.c_str(), cpu.c_str());
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
}
