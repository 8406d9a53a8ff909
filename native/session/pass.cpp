// Passes over rows, step by step.

#include <algorithm>
#include <cmath>

#include "scoped.h"
#include "session_impl.h"

namespace polydomain {

namespace {

// Blocks of one step draw different dropout: the block's number stands above the step's bits.
constexpr int kBlockShift = 40;

int32_t domainOf(const Command& command) {
  return command.mixed || command.blocks ? Batch::kMixed : command.domain;
}

}  // namespace

std::span<const int32_t> Session::Impl::orderOf(const Command& command,
                                                const std::vector<std::vector<int32_t>>& orders) {
  if (command.order < 0) return {};
  return at(orders, command.order, "row order");
}

Session::Impl::Pass Session::Impl::runPass(const Command& command, int64_t ordinal,
                                           std::span<const int32_t> given, bool abandon) {
  const SplitData& split = at(splits_, command.split, "split");
  StepProgram& program = at(programs_, command.program, "program");
  order_.begin(split, command, ordinal, given);
  lap(profile_.get(), Profile::kOrderRows);
  ScopedOverlay overlay(*space_, command.overlay);
  const bool buffers = buffered(program, command);
  (buffers ? *program.gradient : program.direct).program->beginPass();
  // Steps through a buffer are the space's own.
  const bool steps = program.mode == Mode::kTrain && !buffers;
  ScopedDevicePass onDevice(
      mirror_.get(), -1, steps ? at(optimizers_, command.optimizer, "optimizer").get() : nullptr);
  lap(profile_.get(), Profile::kOpenPass);
  Pass pass;
  pass.lossSum = command.resumed.lossSum;
  pass.result.rows = command.resumed.rows;
  pass.result.steps = command.resumed.step;
  for (int64_t step = command.resumed.step; step < order_.steps(); ++step) {
    if (command.maxSteps > 0 && step >= command.maxSteps) break;
    if (cancelled_ && (abandon || command.overlay < 0) && step > command.resumed.step) {
      pass.interruptedAt = step;
      break;
    }
    const std::span<const int32_t> rows = order_.rows(step);
    try {
      pass.lossSum += takeStep(program, command, rows);
    } catch (const Error& error) {
      if (error.kind() != ErrorKind::kTraining) throw;
      const std::string where = blockDomain_ == Batch::kMixed
                                    ? "mixed domains"
                                    : "domain " + std::to_string(blockDomain_);
      throw Error(ErrorKind::kTraining,
                  where + ", step " + std::to_string(step) + " of the pass: " + error.what());
    }
    pass.result.rows += static_cast<int64_t>(rows.size());
    ++pass.result.steps;
    ++steps_;
  }
  onDevice.end();
  overlay.keep();
  lap(profile_.get(), Profile::kClosePass);
  if (pass.result.rows > 0) {
    pass.result.loss = pass.lossSum / static_cast<double>(pass.result.rows);
  }
  return pass;
}

bool Session::Impl::inBlocks(const StepProgram& program, const Command& command) const {
  return domainOf(command) == Batch::kMixed && batch_.sharedSlot() < 0 &&
         program.direct.readsSlot();
}

bool Session::Impl::buffered(const StepProgram& program, const Command& command) const {
  return program.mode == Mode::kTrain && (clips() || inBlocks(program, command));
}

double Session::Impl::takeStep(StepProgram& program, const Command& command,
                               std::span<const int32_t> rows) {
  const SplitData& split = order_.source();
  const bool buffers = buffered(program, command);
  const bool gradient = buffers || program.mode == Mode::kGradient;
  beginStep(profile_.get(), gradient ? Profile::kGradientStep : Profile::kTrainStep);
  BoundProgram& bound = buffers ? *program.gradient : program.direct;
  Program::Run run = startRun();
  double scale = 1.0;
  if (program.mode == Mode::kTrain) {
    run.optimizer = at(optimizers_, command.optimizer, "optimizer").get();
    run.gradients = &stepGradient_;
  } else {
    if (!optimizers_.empty()) {
      run.optimizer = at(optimizers_, command.optimizer, "optimizer").get();
    }
    run.gradients = &bufferOf(command.target);
    scale = command.rate;
    if (command.byRows) {
      scale *= static_cast<double>(rows.size()) / static_cast<double>(options_.batchSize);
    }
  }
  if (buffers) stepGradient_.zero();
  if (inBlocks(program, command)) {
    splitByDomain(split, rows);
  } else {
    blocks_.assign(1, {domainOf(command), rows});
  }
  double lossSum = 0.0;
  for (size_t b = 0; b < blocks_.size(); ++b) {
    blockDomain_ = blocks_[b].domain;
    batch_.gather(bound, split, order_.base(), blocks_[b].rows, blocks_[b].domain, run);
    lap(profile_.get(), Profile::kGatherBatch);
    run.step = static_cast<uint64_t>(steps_.load()) | (b << kBlockShift);
    const auto share =
        static_cast<double>(blocks_[b].rows.size()) / static_cast<double>(rows.size());
    run.gradientScale = static_cast<float>(scale * share);
    bound.program->run(run);
    lossSum += static_cast<double>(bound.program->loss()) * static_cast<double>(run.rows);
  }
  blockDomain_ = domainOf(command);
  if (buffers) {
    apply(stepGradient_, command.optimizer, true);
    if (mirror_) mirror_->refresh();
    lap(profile_.get(), Profile::kApplyGradients);
  }
  endStep(profile_.get());
  return lossSum;
}

void Session::Impl::splitByDomain(const SplitData& split, std::span<const int32_t> rows) {
  grouped_.clear();
  for (const int32_t row : rows) grouped_.emplace_back(domainOfRow(split, row), row);
  std::ranges::stable_sort(grouped_, {}, &std::pair<int32_t, int32_t>::first);
  groupedRows_.clear();
  for (const auto& [domain, row] : grouped_) groupedRows_.push_back(row);
  blocks_.clear();
  for (size_t begin = 0, end = 0; begin < grouped_.size(); begin = end) {
    while (end < grouped_.size() && grouped_[end].first == grouped_[begin].first) ++end;
    blocks_.push_back({grouped_[begin].first, std::span(groupedRows_).subspan(begin, end - begin)});
  }
}

void Session::Impl::apply(GradientBuffer& gradient, int32_t optimizer, bool clip,
                          const Selection* only) {
  if (clip && clips()) {
    const double norm = gradient.norm();
    if (!std::isfinite(norm)) {
      throw Error(ErrorKind::kTraining,
                  "the gradient's norm is " + toText(norm) + "; expected a finite number");
    }
    const double scale = options_.clipNorm / (norm + 1e-6);
    if (scale < 1.0) gradient.scale(static_cast<float>(scale));
  }
  gradient.apply(*space_, *at(optimizers_, optimizer, "optimizer"), only);
}

Program::Run Session::Impl::startRun() {
  Program::Run run;
  run.pool = pool_.get();
  run.seed = options_.seed;
  run.profile = profile_.get();
  return run;
}

}  // namespace polydomain
