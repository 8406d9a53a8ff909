#pragma once

#include <span>
#include <string>
#include <utility>
#include <vector>

#include "polydomain/graph.h"
#include "polydomain/space.h"

// The small model of the program's and the session's tests: embeddings of two features and of the
// domain, two layers with dropout, binary cross-entropy.
namespace polydomain::mlp {

inline constexpr int64_t kUsers = 60, kItems = 40, kDomains = 3;

inline std::vector<ParameterSpec> parameters() {
  const Initializer rows{InitKind::kNormal, 0.0f, 0.5f};
  const Initializer weights{InitKind::kUniform, -0.4f, 0.4f};
  const Initializer biases{InitKind::kConstant, 0.05f, 0.0f};
  return {{"embedding.user", ParameterKind::kTable, {kUsers, 5}, rows, 0.0f},
          {"embedding.item", ParameterKind::kTable, {kItems, 8}, rows, 0.0f},
          {"embedding.domain", ParameterKind::kTable, {kDomains, 3}, rows, 0.0f},
          {"layer0.weight", ParameterKind::kDense, {24, 16}, weights, 0.0f},
          {"layer0.bias", ParameterKind::kDense, {24}, biases, 0.0f},
          {"layer1.weight", ParameterKind::kDense, {12, 24}, weights, 0.0f},
          {"layer1.bias", ParameterKind::kDense, {12}, biases, 0.0f},
          {"output.weight", ParameterKind::kDense, {1, 12}, weights, 0.0f},
          {"output.bias", ParameterKind::kDense, {1}, biases, 0.0f},
          {"bank", ParameterKind::kTable, {kDomains, 12}, rows, 0.0f}};
}

struct Model {
  Graph graph;
  ValueId output = kNoValue, loss = kNoValue;
};

// `labelOp`, if any, stands between the label and the loss. `bank`: the last layer is a slot's.
inline Model build(double keep, const std::string& labelOp = {}, bool bank = false) {
  Model model;
  Graph& graph = model.graph;
  const auto parameter = [&](const std::string& name) {
    for (const ParameterSpec& spec : parameters()) {
      if (spec.name == name) return graph.parameter(name, {DType::kFloat32, spec.shape});
    }
    return kNoValue;
  };
  const auto lookup = [&](const std::string& table, const std::string& input) {
    const ValueId ids = graph.input(input, {DType::kInt32, {kRows}});
    return graph.add("embedding", {parameter("embedding." + table), ids});
  };
  const auto linear = [&](const std::string& name, ValueId x) {
    return graph.add("linear", {x, parameter(name + ".weight"), parameter(name + ".bias")});
  };
  const auto layer = [&](const std::string& name, ValueId x) {
    const ValueId active = graph.add("relu", {linear(name, x)});
    const auto stream = static_cast<int64_t>(streamOf(name + ".dropout"));
    return graph.add("dropout", {active}, {{"keep", keep}, {"stream", stream}});
  };
  const ValueId fields = graph.add(
      "concat",
      {lookup("user", "feature:0"), lookup("item", "feature:1"), lookup("domain", "domain")});
  const ValueId hidden = layer("layer1", layer("layer0", fields));
  if (bank) {
    const ValueId slot = graph.input("slot", {DType::kInt32, {1}});
    const ValueId weight = graph.add("embedding", {parameter("bank"), slot});
    model.output = graph.add("linear", {hidden, weight});
  } else {
    model.output = linear("output", hidden);
  }
  ValueId label = graph.input("label", {DType::kFloat32, {kRows}});
  if (!labelOp.empty()) label = graph.add(labelOp, {label});
  model.loss = graph.add("bce_with_logits", {model.output, label});
  return model;
}

// `count` ids of a sequence named by `step`.
inline std::vector<int32_t> randomIds(int64_t count, int64_t below, uint64_t step) {
  std::vector<float> uniform(static_cast<size_t>(count));
  fillUniform({1, streamOf("ids"), step}, 0, count, 0.0f, static_cast<float>(below),
              uniform.data());
  return {uniform.begin(), uniform.end()};
}

inline std::vector<float> randomLabels(int64_t count, uint64_t step) {
  std::vector<float> labels(static_cast<size_t>(count));
  fillUniform({1, streamOf("labels"), step}, 0, count, 0.0f, 1.0f, labels.data());
  for (float& label : labels) label = label < 0.4f ? 1.0f : 0.0f;
  return labels;
}

// All shared values, one region after another.
inline std::vector<float> sharedValues(ParameterSpace& space) {
  std::vector<float> all;
  for (int region = 0; region < space.regionCount(); ++region) {
    const std::span values(space.region(region),
                           static_cast<size_t>(space.unitCount(region) * space.unitSize(region)));
    all.insert(all.end(), values.begin(), values.end());
  }
  return all;
}

}  // namespace polydomain::mlp
