#include "polydomain/optimizer.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "cpu/chunks.h"
#include "cpu/optimizer_update.h"
#include "momentum_tail.h"
#include "moved_rows.h"
#include "polydomain/error.h"
#include "polydomain/space.h"
#include "serialize.h"

namespace polydomain {

namespace {

// Rows that one thread catches up in one go.
constexpr int64_t kRowsPerChunk = 128;

// Where the rows of a table stand that takes dense steps.
struct DenseRows {
  MomentumTail tail;           // the steps since all rows were last settled
  std::vector<int32_t> steps;  // by row: the step that its values are those of; 0: no moments yet.
                               // Empty: a dense parameter
};

}  // namespace

int OptimizerSpec::stateCount() const {
  switch (kind) {
    case OptimizerKind::kSgd:
      return momentum != 0.0f ? 1 : 0;
    case OptimizerKind::kAdagrad:
      return 1;
    case OptimizerKind::kAdam:
    case OptimizerKind::kAdamW:
      break;
  }
  return 2;
}

class OptimizerState::Impl {
 public:
  Impl(ParameterSpace& space, OptimizerSpec spec) : space_(space), spec_(std::move(spec)) {
    requireNoL2();
    reset();
  }

  OptimizerSpec& spec() { return spec_; }

  void reset() {
    allSteps_ = 0;
    steps_.assign(static_cast<size_t>(space_.parameterCount()), 0);
    slabs_.clear();
    for (int region = 0; region < space_.regionCount(); ++region) {
      for (int state = 0; state < spec_.stateCount(); ++state) {
        slabs_.push_back(Storage::allocate(
            static_cast<size_t>(space_.unitCount(region) * space_.unitSize(region)) *
            sizeof(float)));
      }
    }
    denseRows_.clear();
    for (int p = 0; denseRows() && p < space_.parameterCount(); ++p) {
      denseRows_.push_back({MomentumTail(spec_), {}});
      if (!hasDenseRows(p)) continue;
      denseRows_.back().steps.assign(static_cast<size_t>(space_.unitCountOf(p)), 0);
    }
  }

  bool goesOn(const OptimizerSpec& spec) const {
    if (spec.kind != spec_.kind || spec.stateCount() != spec_.stateCount() ||
        spec.rows != spec_.rows) {
      return false;
    }
    // Steps that rows lack are known for these alone.
    return !denseRows() || (spec.beta1 == spec_.beta1 && spec.beta2 == spec_.beta2 &&
                            spec.epsilon == spec_.epsilon && spec.epsilonForm == spec_.epsilonForm);
  }

  void moveRows(int parameter, std::span<const int32_t> from) {
    const int region = space_.regionOf(parameter);
    for (int state = 0; state < spec_.stateCount(); ++state) {
      Storage& slab = *slabs_[static_cast<size_t>(region * spec_.stateCount() + state)];
      polydomain::moveRows(slab, space_.unitSize(region), from);
    }
    if (!hasDenseRows(parameter)) return;
    std::vector<int32_t>& steps = denseRows_[static_cast<size_t>(parameter)].steps;
    std::vector<int32_t> moved(from.size(), 0);
    for (size_t row = 0; row < from.size(); ++row) {
      if (from[row] != kNewRow) moved[row] = steps[static_cast<size_t>(from[row])];
    }
    steps = std::move(moved);
  }

  UpdateScalars beginStep(int parameter) {
    const int64_t t = ++steps_[static_cast<size_t>(parameter)];
    UpdateScalars scalars{};
    const double scheduled =
        spec_.schedule.rateAt(static_cast<double>(spec_.learningRate), allSteps_);
    scalars.learningRate = static_cast<float>(scheduled);
    scalars.weightDecay = spec_.weightDecay;
    scalars.l2 = space_.parameter(parameter).l2;
    scalars.momentum = spec_.momentum;
    scalars.nesterov = spec_.nesterov;
    scalars.beta1 = spec_.beta1;
    scalars.beta2 = spec_.beta2;
    scalars.epsilon = spec_.epsilon;
    const double correction1 = 1.0 - std::pow(static_cast<double>(spec_.beta1), t);
    const double correction2 = std::sqrt(1.0 - std::pow(static_cast<double>(spec_.beta2), t));
    const double rate = scheduled / correction1;
    // PyTorch's SparseAdam, unlike its Adam, adds epsilon to the raw root: TensorFlow's form.
    const bool lazy = isTable(parameter) && !hasDenseRows(parameter);
    const bool tf1 = spec_.epsilonForm == EpsilonForm::kTf1 || lazy;
    scalars.stepSize = static_cast<float>(tf1 ? rate * correction2 : rate);
    scalars.biasCorrection2Sqrt = tf1 ? 1.0f : static_cast<float>(correction2);
    if (hasDenseRows(parameter)) denseRows_[static_cast<size_t>(parameter)].tail.add(scalars);
    return scalars;
  }

  void endStep() { ++allSteps_; }

  void update(const UpdateScalars& scalars, int region, int64_t unit, int64_t n, float* w,
              const float* g) {
    const int parameter = space_.parameterOfUnit(region, static_cast<uint32_t>(unit));
    if (hasDenseRows(parameter)) enterStep(parameter, static_cast<uint32_t>(unit));
    cpu::updateWeights(spec_, scalars, n, w, g, state(region, unit, 0), state(region, unit, 1));
  }

  void updateRows(const UpdateScalars& scalars, int region, std::span<const int32_t> rows, float* w,
                  const float* g) {
    const int parameter = space_.parameterOfUnit(region, 0);
    if (hasDenseRows(parameter)) {
      for (const int32_t row : rows) enterStep(parameter, static_cast<uint32_t>(row));
    }
    cpu::updateRows(spec_, scalars, rows, space_.unitSize(region), w, g, state(region, 0, 0),
                    state(region, 0, 1));
  }

  bool lags(int parameter) const {
    if (!hasDenseRows(parameter)) return false;
    const MomentumTail& tail = denseRows_[static_cast<size_t>(parameter)].tail;
    return tail.last() > tail.before();
  }

  void catchUp(int parameter, std::span<const uint32_t> rows, ThreadPool& pool) {
    const int64_t step = steps_[static_cast<size_t>(parameter)];
    cpu::forChunks(pool, static_cast<int64_t>(rows.size()), kRowsPerChunk,
                   [&](int64_t begin, int64_t end) {
                     for (int64_t i = begin; i < end; ++i) {
                       catchUpRow(parameter, rows[static_cast<size_t>(i)], step);
                     }
                   });
  }

  void settle(ThreadPool& pool) {
    for (int p = 0; p < space_.parameterCount(); ++p) {
      if (!lags(p)) continue;
      auto& [tail, steps] = denseRows_[static_cast<size_t>(p)];
      std::vector<uint32_t> behind;
      for (size_t row = 0; row < steps.size(); ++row) {
        if (steps[row] > 0 && steps[row] < tail.last()) {
          behind.push_back(static_cast<uint32_t>(row));
        }
      }
      space_.touch(space_.regionOf(p), behind);
      catchUp(p, behind, pool);
      tail.restart(tail.last());
    }
  }

  // Sparse: units whose state is all zeros are left out.
  void save(const ParameterSpace::Write& write) const {
    writeValue(write, spec_.kind);
    writeValue(write, static_cast<int64_t>(spec_.stateCount()));
    writeValue(write, spec_.learningRate);
    writeValue(write, allSteps_);
    for (const int64_t steps : steps_) writeValue(write, steps);
    for (const DenseRows& table : denseRows_) {
      if (table.steps.empty()) continue;
      table.tail.save(write);
      write(table.steps.data(), table.steps.size() * sizeof(int32_t));
    }
    for (size_t s = 0; s < slabs_.size(); ++s) {
      const int region = static_cast<int>(s) / spec_.stateCount();
      const int64_t size = space_.unitSize(region);
      const auto* values = static_cast<const float*>(slabs_[s]->data());
      std::vector<uint32_t> units;
      for (int64_t unit = 0; unit < space_.unitCount(region); ++unit) {
        const float* from = values + unit * size;
        if (std::any_of(from, from + size, [](float value) { return value != 0.0f; })) {
          units.push_back(static_cast<uint32_t>(unit));
        }
      }
      writeValue(write, static_cast<int64_t>(units.size()));
      for (const uint32_t unit : units) {
        writeValue(write, unit);
        write(values + unit * size, static_cast<size_t>(size) * sizeof(float));
      }
    }
  }

  void load(const ParameterSpace::Read& read) {
    requireEqual(static_cast<int64_t>(readValue<OptimizerKind>(read)),
                 static_cast<int64_t>(spec_.kind), "as its optimizer's kind");
    requireEqual(readValue<int64_t>(read), spec_.stateCount(), "state values per weight");
    reset();
    spec_.learningRate = readValue<float>(read);
    allSteps_ = readValue<int64_t>(read);
    for (int64_t& steps : steps_) steps = readValue<int64_t>(read);
    for (DenseRows& table : denseRows_) {
      if (table.steps.empty()) continue;
      table.tail.load(read);
      read(table.steps.data(), table.steps.size() * sizeof(int32_t));
      for (const int32_t step : table.steps) {
        if (step == 0 || (step >= table.tail.before() && step <= table.tail.last())) continue;
        throw Error(ErrorKind::kCheckpoint, "the checkpoint has a row at step " +
                                                std::to_string(step) + "; expected one from " +
                                                std::to_string(table.tail.before()) + " to " +
                                                std::to_string(table.tail.last()));
      }
    }
    for (size_t s = 0; s < slabs_.size(); ++s) {
      const int region = static_cast<int>(s) / spec_.stateCount();
      const int64_t size = space_.unitSize(region);
      auto* values = static_cast<float*>(slabs_[s]->data());
      for (auto left = readValue<int64_t>(read); left > 0; --left) {
        const auto unit = readValue<uint32_t>(read);
        if (unit >= space_.unitCount(region)) {
          throw Error(ErrorKind::kCheckpoint,
                      "the checkpoint's optimizer names unit " + std::to_string(unit) +
                          " beyond the " + std::to_string(space_.unitCount(region)) + " there are");
        }
        read(values + unit * size, static_cast<size_t>(size) * sizeof(float));
      }
    }
  }

  // Null where the optimizer has no such state.
  float* state(int region, int64_t unit, int index) const {
    const int count = spec_.stateCount();
    if (index >= count) return nullptr;
    auto* slab = static_cast<float*>(slabs_[static_cast<size_t>(region * count + index)]->data());
    return slab + unit * space_.unitSize(region);
  }

 private:
  bool denseRows() const { return spec_.rows == RowSteps::kDense; }
  bool isTable(int parameter) const {
    return space_.parameter(parameter).kind == ParameterKind::kTable;
  }
  // Slots of a bank are parameters of their own, which other domains' steps leave alone.
  bool hasDenseRows(int parameter) const {
    return denseRows() && isTable(parameter) && !space_.parameter(parameter).bank;
  }

  void requireNoL2() const {
    for (int p = 0; p < space_.parameterCount(); ++p) {
      const ParameterSpec& spec = space_.parameter(p);
      if (!hasDenseRows(p) || !spec.trainable || spec.l2 == 0.0f) continue;
      throw Error(ErrorKind::kConfig,
                  "optimizer.rows: 'dense' with an l2 of " + std::to_string(spec.l2) + " on '" +
                      spec.name +
                      "', whose gradient of rows that no batch reads changes with every step; "
                      "expected an l2 of 0, or rows 'lazy'");
    }
  }

  // To step `last`, which is that of the tail or the one before: then the row's steps end there
  // too.
  void catchUpRow(int parameter, uint32_t row, int64_t last) {
    auto& [tail, steps] = denseRows_[static_cast<size_t>(parameter)];
    int32_t& step = steps[row];
    if (step == 0 || step == last) return;
    thread_local cpu::MomentumSteps missed;
    tail.collect(step, last, missed);
    const int region = space_.regionOf(parameter);
    const int64_t size = space_.unitSize(region);
    cpu::updateByMomentum(missed, size, space_.region(region) + row * size, state(region, row, 0),
                          state(region, row, 1));
    step = static_cast<int32_t>(last);
  }

  // The row is about to get the step that has begun, the last that the tail was told.
  void enterStep(int parameter, uint32_t row) {
    const int64_t step = steps_[static_cast<size_t>(parameter)];
    catchUpRow(parameter, row, step - 1);
    denseRows_[static_cast<size_t>(parameter)].steps[row] = static_cast<int32_t>(step);
  }

  ParameterSpace& space_;
  OptimizerSpec spec_;
  int64_t allSteps_ = 0;                         // of the optimizer
  std::vector<int64_t> steps_;                   // by parameter
  std::vector<std::shared_ptr<Storage>> slabs_;  // region by region, state by state
  std::vector<DenseRows> denseRows_;             // by parameter; empty where rows are lazy
};

OptimizerState::OptimizerState(ParameterSpace& space, OptimizerSpec spec)
    : impl_(std::make_unique<Impl>(space, std::move(spec))) {}
OptimizerState::~OptimizerState() = default;
OptimizerSpec& OptimizerState::spec() { return impl_->spec(); }
void OptimizerState::reset() { impl_->reset(); }
bool OptimizerState::goesOn(const OptimizerSpec& spec) const { return impl_->goesOn(spec); }
void OptimizerState::moveRows(int parameter, std::span<const int32_t> from) {
  impl_->moveRows(parameter, from);
}
UpdateScalars OptimizerState::beginStep(int parameter) { return impl_->beginStep(parameter); }
void OptimizerState::endStep() { impl_->endStep(); }
void OptimizerState::update(const UpdateScalars& scalars, int region, int64_t unit, int64_t n,
                            float* w, const float* g) {
  impl_->update(scalars, region, unit, n, w, g);
}
void OptimizerState::updateRows(const UpdateScalars& scalars, int region,
                                std::span<const int32_t> rows, float* w, const float* g) {
  impl_->updateRows(scalars, region, rows, w, g);
}
float* OptimizerState::state(int region, int index) { return impl_->state(region, 0, index); }
bool OptimizerState::lags(int parameter) const { return impl_->lags(parameter); }
void OptimizerState::catchUp(int parameter, std::span<const uint32_t> rows, ThreadPool& pool) {
  impl_->catchUp(parameter, rows, pool);
}
void OptimizerState::settle(ThreadPool& pool) { impl_->settle(pool); }
void OptimizerState::save(const ParameterSpace::Write& write) const { impl_->save(write); }
void OptimizerState::load(const ParameterSpace::Read& read) { impl_->load(read); }

void outerStep(ParameterSpace& space, OptimizerState& optimizer, MarkId mark,
               const Selection* only) {
  std::map<int, UpdateScalars> begun;
  std::vector<float> gradient;
  space.visitSharedChanges(mark, only, [&](const Change& change) {
    auto place = begun.find(change.parameter);
    if (place == begun.end()) {
      place = begun.emplace(change.parameter, optimizer.beginStep(change.parameter)).first;
    }
    gradient.resize(static_cast<size_t>(change.size));
    for (int64_t i = 0; i < change.size; ++i) {
      gradient[static_cast<size_t>(i)] = change.saved[i] - change.value[i];
      change.value[i] = change.saved[i];
    }
    optimizer.update(place->second, change.region, change.unit, change.size, change.value,
                     gradient.data());
  });
  optimizer.endStep();
}

}  // namespace polydomain
