// Parameters that keep the running average of a value of the batches.

#include <cmath>

#include "polydomain/error.h"
#include "program_impl.h"

namespace polydomain {

void Program::Impl::findAverages() {
  for (ValueId v = 0; v < graph_.size(); ++v) {
    if (!isOp(graph_, v, "running_average")) continue;
    ValueId average = graph_[v].inputs[1];
    while (isOp(graph_, average, "reshape")) average = graph_[average].inputs[0];
    ValueId slot = kNoValue;
    if (isOp(graph_, average, "embedding")) {
      slot = idInput(graph_[average].inputs[1]);
      average = graph_[average].inputs[0];
    }
    const Node& kept = graph_[average];
    const bool one = slot == kNoValue || graph_[slot].type.shape == Shape{1};
    if (kept.kind != NodeKind::kParameter || !one ||
        space_.parameter(space_.find(kept.name)).trainable) {
      throw Error(ErrorKind::kTrace,
                  "running_average: its second input is no parameter that is not trainable; "
                  "expected one, or one slot of such a table");
    }
    const int parameter = space_.find(kept.name);
    averages_.push_back({v, parameter, slot, graph_[v].attributes.get<double>("momentum")});
  }
}

void Program::Impl::announceSlots() {
  for (const RunningAverage& average : averages_) {
    if (average.slot == kNoValue) continue;
    const auto slot = static_cast<uint32_t>(*columnOf(average.slot));
    space_.touch(space_.regionOf(average.parameter), std::span(&slot, 1));
  }
}

void Program::Impl::moveAverages() {
  for (const RunningAverage& average : averages_) {
    const TensorView& value = viewOf(average.value);
    for (int64_t i = 0; i < value.size(); ++i) {
      if (std::isfinite(value.f32()[i])) continue;
      throw Error(ErrorKind::kTraining, "a value that '" +
                                            space_.parameter(average.parameter).name +
                                            "' averages is not finite; expected a finite number");
    }
  }
  for (const RunningAverage& average : averages_) {
    const TensorView& value = viewOf(average.value);
    const int64_t slot = average.slot == kNoValue ? 0 : *columnOf(average.slot);
    float* kept = space_.data(average.parameter) + slot * value.size();
    for (int64_t i = 0; i < value.size(); ++i) {
      kept[i] = static_cast<float>(average.momentum * static_cast<double>(kept[i]) +
                                   (1.0 - average.momentum) * static_cast<double>(value.f32()[i]));
    }
  }
}

}  // namespace polydomain
