#pragma once

#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "cpu/embedding.h"
#include "device/device_program.h"
#include "memory_plan.h"
#include "polydomain/program.h"

namespace polydomain {

class Program::Impl {
 public:
  Impl(const Graph& graph, ParameterSpace& space, ProgramOptions options);

  void beginPass();
  void run(const Run& run);

  const std::vector<std::string>& inputNames() const { return inputNames_; }
  DType inputType(size_t input) const { return viewOf(inputs_[input]).type; }
  int64_t inputSize(size_t input, int64_t rows) const {
    return elementsOf(graph_[inputs_[input]].type.shape, rows);
  }
  void checkIds(size_t input, const void* column, int64_t rows) const;
  const float* output() { return device_ ? readOutput() : viewOf(output_).f32(); }
  float loss() const { return device_ ? lossRead_ : *viewOf(loss_).f32(); }
  size_t scratchBytes() const {
    return (scratch_ ? scratch_->bytes() : 0) + (gradients_ ? gradients_->bytes() : 0);
  }
  std::string describe() const;

 private:
  struct Step {
    ValueId value;
    Kernel kernel;
    DeviceKernel onDevice;     // null on the CPU
    std::vector<int> regions;  // see lookupRegions()
    int32_t label = -1;        // in the profile
  };
  struct DenseUse {
    int parameter;
    ValueId value;
    ValueId gradient;  // kNoValue: not trained
  };
  // Gradient rows in a value that may be wider: columns from `start` on.
  struct RowSource {
    ValueId value;
    int64_t start;
  };
  // Ids that a table is read by: an input of the batch.
  struct Lookup {
    ValueId ids;
    int64_t width;  // of bags: ids to a row of the result, kNoId for none; 0: one id to a row
  };
  struct TableUse {
    int parameter = -1;
    ValueId value = kNoValue;
    std::vector<Lookup> lookups;
    std::vector<Lookup> ids;           // those of them that have a gradient; all when not trained
    std::vector<RowSource> gradients;  // empty: not trained; else beside `ids`
    cpu::UniqueIds unique;
    std::vector<cpu::IdList> lists;
    std::vector<cpu::RowGradient> rows;
    DeviceProgram::Rows onDevice;  // the unique ids
  };
  // A value whose average over the steps a parameter keeps, or a slot of a table.
  struct RunningAverage {
    ValueId value;
    int parameter;
    ValueId slot;  // input [1]; kNoValue: the parameter is dense
    double momentum;
  };
  struct GradientCopy {
    ValueId from;
    int64_t offset;
  };
  // One piece of the optimizer's work: a range of a dense parameter, or of a table's unique rows.
  struct Update {
    UpdateScalars scalars;
    TableUse* table;  // null: dense
    int64_t begin, end;
  };

  bool differentiates() const {
    return options_.mode == Mode::kTrain || options_.mode == Mode::kGradient;
  }
  const TensorView& viewOf(ValueId value) const { return values_[static_cast<size_t>(value)]; }
  TensorView& viewOf(ValueId value) { return values_[static_cast<size_t>(value)]; }
  // From where to where a parameter lies in the dense slab.
  std::pair<int64_t, int64_t> floatsOf(const DenseUse& use) const {
    const int64_t first = space_.firstUnitOf(use.parameter) * kDenseBlock;
    return {first, first + elementCount(space_.parameter(use.parameter).shape)};
  }
  float* gradientSlab() const {
    return device_ ? deviceGradients_ : static_cast<float*>(gradients_->data());
  }
  TableUse* tableOf(ValueId value);

  // --- Building ---------------------------------------------------------------------------------

  void checkOutput(const Graph& graph) const;
  void build(const Graph& graph);
  void findParameters();
  // Notes which ids read which table; refuses tables in any other place.
  void registerLookups(ValueId v);
  ValueId idInput(ValueId ids) const;
  // A slice whose only purpose is to name the columns of a row gradient is read where it lies.
  bool skipped(ValueId v) const;
  void placeGradients();
  void collectRowSources(TableUse& use, ValueId gradient);

  // --- Running ----------------------------------------------------------------------------------

  void bind(const Run& run);
  // Finds the distinct rows of every table and announces them before anything reads them: an open
  // overlay forms its effective values then, and rows get the steps that they lack.
  void announceRows(const Run& run);
  // An input of the batch where the caller has it.
  const int32_t* columnOf(ValueId ids) const {
    return static_cast<const int32_t*>(columns_[static_cast<size_t>(ids)]);
  }
  void findUnique(TableUse& use, const std::vector<Lookup>& lookups);
  static std::span<const uint32_t> rowsOf(const TableUse& use) {
    const std::span<const int32_t> ids = use.unique.ids();
    return {reinterpret_cast<const uint32_t*>(ids.data()), ids.size()};
  }
  void touch(const TableUse& use) { space_.touch(space_.regionOf(use.parameter), rowsOf(use)); }
  void runSteps(const Run& run);
  // Until the next call.
  std::span<const TensorView> inputsOf(const Step& step);
  void requireFinite(float loss) const;
  void copyGradient(const TensorView& from, int64_t offset);
  // Names the steps by op and, where it has one, parameter: the one that it reads, or whose
  // gradient it makes.
  void labelSteps(Profile& profile);

  // --- Gradients --------------------------------------------------------------------------------

  void applyOptimizer(const Run& run);
  void updateRows(OptimizerState& optimizer, const Update& update, Profile::Stopwatch& watch);
  void collectGradients(const Run& run);
  void bindRowGradients(TableUse& use);

  // --- On a device ------------------------------------------------------------------------------

  // The device gets the rows that the step reads, and where those with a gradient stand.
  void bringRows();
  void queueSteps(const Run& run);
  void applyOnDevice(const Run& run);
  // Each waits for the device.
  void readLoss() { device_->read(viewOf(loss_).f32(), 1, &lossRead_); }
  const float* readOutput();
  const float* readDenseGradients();
  const float* readRowGradients(const TableUse& use);  // sums of equal ids, in the order of unique

  // --- Running averages -------------------------------------------------------------------------

  void findAverages();
  void announceSlots();
  // average = momentum * average + (1 - momentum) * value, once all values are known to be finite.
  void moveAverages();

  ParameterSpace& space_;
  ProgramOptions options_;
  Graph graph_;
  ValueId output_ = kNoValue, loss_ = kNoValue;
  std::vector<ValueId> trained_, gradientsOf_;
  std::vector<Lookup> gradientIds_;  // of the table at hand, while building

  std::vector<ValueId> inputs_;
  std::vector<std::string> inputNames_;
  std::vector<Step> steps_;
  std::vector<DenseUse> dense_;
  std::vector<TableUse> tables_;
  std::vector<GradientCopy> copies_;
  std::vector<RunningAverage> averages_;

  std::vector<bool> placed_;
  std::vector<ValueId> kept_;
  std::vector<TensorView> values_;
  std::vector<ValueId> rowValues_;
  std::vector<TensorView> views_;  // of one step's inputs
  std::vector<Update> updates_;
  std::shared_ptr<Storage> scratch_;
  std::shared_ptr<Storage> gradients_;  // laid out like the dense slab
  int64_t capacity_ = 0;
  int64_t rows_ = 0;
  uint64_t labelledFor_ = 0;  // the profile whose numbers the steps' labels are

  std::vector<const void*> columns_;       // by value: inputs where the caller has them
  std::unique_ptr<DeviceProgram> device_;  // null: on the CPU
  float* deviceGradients_ = nullptr;
  std::vector<ValueId> grouped_;  // inputs of which kernels read the groups
  std::vector<const PolydomainCudaScalars*> scalars_;
  std::vector<float> outputRead_, gradientsRead_;
  float lossRead_ = 0.0f;
};

}  // namespace polydomain
