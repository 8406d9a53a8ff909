#include "polydomain/program.h"

#include "cpu/embedding.h"
#include "polydomain/error.h"
#include "program_impl.h"

namespace polydomain {

void Program::Impl::checkIds(size_t input, const void* column, int64_t rows) const {
  const auto* ids = static_cast<const int32_t*>(column);
  for (const TableUse& use : tables_) {
    bool read = false, bags = true;
    for (const Lookup& lookup : use.lookups) {
      if (lookup.ids != inputs_[input]) continue;
      read = true;
      bags = bags && lookup.width > 0;
    }
    if (!read) continue;
    const ParameterSpec& spec = space_.parameter(use.parameter);
    for (int64_t row = 0; row < rows; ++row) {
      if (ids[row] >= 0 && ids[row] < spec.shape[0]) continue;
      if (ids[row] == cpu::kNoId && bags) continue;
      throw Error(ErrorKind::kData, "input '" + inputNames_[input] + "', row " +
                                        std::to_string(row) + ": id " + std::to_string(ids[row]) +
                                        "; '" + spec.name + "' has ids 0 to " +
                                        std::to_string(spec.shape[0] - 1) +
                                        (ids[row] == cpu::kNoId ? ", and bags alone -1" : ""));
    }
  }
}

std::string Program::Impl::describe() const {
  std::string text;
  for (const Step& step : steps_) {
    const Node& node = graph_[step.value];
    text += "%" + std::to_string(step.value) + " = " + node.op->name + "(";
    for (size_t i = 0; i < node.inputs.size(); ++i) {
      const Node& input = graph_[node.inputs[i]];
      if (i > 0) text += ", ";
      text += input.kind == NodeKind::kOp ? "%" + std::to_string(node.inputs[i]) : input.name;
    }
    text += ") " + toString(node.type.shape) + "\n";
  }
  for (const TableUse& use : tables_) {
    if (use.gradients.empty()) continue;
    text += "update rows of " + space_.parameter(use.parameter).name + "\n";
  }
  for (const DenseUse& use : dense_) {
    if (use.gradient == kNoValue) continue;
    text += "update " + space_.parameter(use.parameter).name + "\n";
  }
  return text;
}

Program::Program(const Graph& graph, ParameterSpace& space, ProgramOptions options)
    : impl_(std::make_unique<Impl>(graph, space, std::move(options))) {}
Program::~Program() = default;
void Program::beginPass() { impl_->beginPass(); }
void Program::run(const Run& run) { impl_->run(run); }
const std::vector<std::string>& Program::inputNames() const { return impl_->inputNames(); }
DType Program::inputType(size_t input) const { return impl_->inputType(input); }
int64_t Program::inputSize(size_t input, int64_t rows) const {
  return impl_->inputSize(input, rows);
}
void Program::checkIds(size_t input, const void* column, int64_t rows) const {
  impl_->checkIds(input, column, rows);
}
const float* Program::output() const { return impl_->output(); }
float Program::loss() const { return impl_->loss(); }
size_t Program::scratchBytes() const { return impl_->scratchBytes(); }
std::string Program::describe() const { return impl_->describe(); }

}  // namespace polydomain
