// Commands one after another: those of marks, gradient buffers and slots are carried out here.

#include <algorithm>
#include <atomic>

#include "scoped.h"
#include "session_impl.h"

namespace polydomain {

namespace {

class ClearAtEnd {
 public:
  explicit ClearAtEnd(std::atomic<bool>& flag) : flag_(flag) {}
  ~ClearAtEnd() { flag_ = false; }
  ClearAtEnd(const ClearAtEnd&) = delete;
  ClearAtEnd& operator=(const ClearAtEnd&) = delete;

 private:
  std::atomic<bool>& flag_;
};

}  // namespace

RunOutcome Session::Impl::run(const std::vector<Command>& commands,
                              const std::vector<std::vector<int32_t>>& orders) {
  const Lease lease(*this);
  const ScopedFlushDenormals flush;
  checkSplits();
  // A cancellation counts from before the run until its end.
  const ClearAtEnd clear(cancelled_);
  RunOutcome outcome;
  for (const Command& command : commands) {
    if (cancelled_) break;
    if (profile_) profile_->beginCommand();
    const std::optional<CommandResult> result = execute(command, orders, outcome.interruption);
    if (profile_) profile_->endCommand(nameOf(command.kind), command.domain, command.overlay);
    if (!result) break;
    outcome.results.push_back(*result);
    ++outcome.completed;
  }
  return outcome;
}

void Session::Impl::settle() {
  const Lease lease(*this);
  const ScopedFlushDenormals flush;
  settleBut(-1);
}

void Session::Impl::settleBefore(const Command& command) {
  requireShared(command);
  switch (command.kind) {
    case CommandKind::kBufferZero:
    case CommandKind::kBufferAdd:
    case CommandKind::kBufferScale:
    case CommandKind::kBufferProject:
    case CommandKind::kBufferDot:
      return;  // of gradients alone
    case CommandKind::kRun:
    case CommandKind::kBufferApply:
      return settleBut(command.optimizer);
    default:
      return settleBut(-1);
  }
}

void Session::Impl::settleBut(int32_t own) {
  for (int32_t index = 0; index < std::ssize(optimizers_); ++index) {
    OptimizerState& optimizer = *optimizers_[static_cast<size_t>(index)];
    if (index == own || optimizer.spec().rows == RowSteps::kLazy) continue;
    optimizer.settle(*pool_);
    lap(profile_.get(), Profile::kCatchUpRows);
  }
}

void Session::Impl::requireShared(const Command& command) const {
  const bool steps = command.kind == CommandKind::kRun || command.kind == CommandKind::kConverge ||
                     command.kind == CommandKind::kBufferApply;
  if (!steps || command.overlay < 0 || optimizers_.empty()) return;
  if (at(optimizers_, command.optimizer, "optimizer")->spec().rows == RowSteps::kLazy) return;
  throw Error(ErrorKind::kConfig, std::string(nameOf(command.kind)) + " of domain " +
                                      std::to_string(command.overlay) +
                                      "'s own values by an optimizer with rows 'dense'; expected "
                                      "rows 'lazy', or shared values");
}

std::optional<CommandResult> Session::Impl::execute(const Command& command,
                                                    const std::vector<std::vector<int32_t>>& orders,
                                                    Interruption& interrupted) {
  settleBefore(command);
  switch (command.kind) {
    case CommandKind::kMark:
      if (marks_.contains(command.target)) {
        throw Error(ErrorKind::kConfig,
                    "mark " + std::to_string(command.target) + " is open already");
      }
      marks_[command.target] = space_->mark();
      return CommandResult{};
    case CommandKind::kRestore:
      restore(command);
      return CommandResult{};
    case CommandKind::kLerp:
      space_->lerp(markOf(command.target), static_cast<float>(command.rate),
                   selectionOf(command.selection));
      return CommandResult{};
    case CommandKind::kOuterStep:
      outerStep(*space_, *at(optimizers_, command.optimizer, "optimizer"), markOf(command.target),
                selectionOf(command.selection));
      return CommandResult{};
    case CommandKind::kRelease:
      space_->release(markOf(command.target));
      marks_.erase(command.target);
      return CommandResult{};
    case CommandKind::kRun: {
      const Pass pass = runPass(command, command.pass, orderOf(command, orders), false);
      if (pass.interruptedAt > 0) {
        interrupted = {pass.interruptedAt, pass.lossSum, pass.result.rows};
        return std::nullopt;
      }
      return pass.result;
    }
    case CommandKind::kConverge:
      return converge(command, orders);
    case CommandKind::kEvaluate:
      return command.passes > 0 ? evaluateTuned(command)
                                : evaluate(command.split, command.domain, command.overlay);
    case CommandKind::kResetOptimizer:
      at(optimizers_, command.optimizer, "optimizer")->reset();
      return CommandResult{};
    case CommandKind::kBufferZero: {
      auto& buffer = buffers_[command.target];
      if (!buffer) buffer = std::make_unique<GradientBuffer>(*space_);
      buffer->zero();
      return CommandResult{};
    }
    case CommandKind::kBufferAdd:
      bufferOf(command.target).add(bufferOf(command.other), static_cast<float>(command.rate));
      return CommandResult{};
    case CommandKind::kBufferScale:
      bufferOf(command.target).scale(static_cast<float>(command.rate));
      return CommandResult{};
    case CommandKind::kBufferProject:
      bufferOf(command.target).project(bufferOf(command.other));
      return CommandResult{};
    case CommandKind::kBufferAddChange:
      addChange(bufferOf(command.target), markOf(command.other), command.overlay, command.rate);
      return CommandResult{};
    case CommandKind::kBufferApply: {
      ScopedOverlay overlay(*space_, command.overlay);
      apply(bufferOf(command.target), command.optimizer, command.clip,
            selectionOf(command.selection));
      overlay.keep();
      buffers_.erase(command.target);
      return CommandResult{};
    }
    case CommandKind::kBufferDot: {
      CommandResult result;
      result.value = bufferOf(command.target).dot(bufferOf(command.other));
      return result;
    }
    case CommandKind::kDropOverlay:
      space_->dropOverlay(command.domain);
      return CommandResult{};
    case CommandKind::kSlots:
      if (command.target >= 0) rowsOf(at(splits_, 0, "split"), command.target);
      batch_.shareSlot(command.target);
      return CommandResult{};
    case CommandKind::kBroadcast:
      broadcast(command.target, at(selections_, command.selection, "selection"));
      return CommandResult{};
  }
  throw Error(ErrorKind::kConfig, "unknown command");
}

MarkId Session::Impl::markOf(int32_t id) const {
  const auto found = marks_.find(id);
  if (found != marks_.end()) return found->second;
  throw Error(ErrorKind::kConfig, "mark " + std::to_string(id) + " is not open");
}

GradientBuffer& Session::Impl::bufferOf(int32_t id) {
  const auto found = buffers_.find(id);
  if (found != buffers_.end()) return *found->second;
  throw Error(ErrorKind::kConfig, "gradient buffer " + std::to_string(id) +
                                      " does not exist; expected a bufferZero before");
}

const Selection* Session::Impl::selectionOf(int32_t index) {
  return index < 0 ? nullptr : &at(selections_, index, "selection");
}

void Session::Impl::restore(const Command& command) {
  const MarkId mark = markOf(command.target);
  const Selection* only = selectionOf(command.selection);
  if (command.untrained || (only == nullptr && allTrainable_)) return space_->restore(mark, only);
  const Selection trained = only == nullptr ? space_->trainable() : space_->trainable(*only);
  space_->restore(mark, &trained);
}

void Session::Impl::addChange(GradientBuffer& buffer, MarkId mark, OverlayId overlay,
                              double scale) {
  if (overlay >= 0) {
    space_->visitOverlayWay(mark, overlay, [&](int region, uint32_t unit, const float* way) {
      buffer.addUnits(region, unit, 1, way, static_cast<float>(scale));
    });
    return;
  }
  std::vector<float> way;
  space_->visitSharedChanges(mark, nullptr, [&](const Change& change) {
    way.resize(static_cast<size_t>(change.size));
    for (int64_t i = 0; i < change.size; ++i) {
      way[static_cast<size_t>(i)] = change.saved[i] - change.value[i];
    }
    buffer.addUnits(change.region, change.unit, 1, way.data(), static_cast<float>(scale));
  });
}

void Session::Impl::broadcast(int32_t slot, const Selection& banks) {
  for (int p = 0; p < space_->parameterCount(); ++p) {
    if (!banks[static_cast<size_t>(p)]) continue;
    const ParameterSpec& spec = space_->parameter(p);
    if (spec.kind != ParameterKind::kTable || slot < 0 || slot >= spec.shape[0]) {
      throw Error(ErrorKind::kConfig, "broadcast of '" + spec.name + "' " + toString(spec.shape) +
                                          ": it has no slot " + std::to_string(slot));
    }
    std::vector<uint32_t> others;
    for (int64_t other = 0; other < spec.shape[0]; ++other) {
      if (other != slot) others.push_back(static_cast<uint32_t>(other));
    }
    space_->touch(space_->regionOf(p), others);
    float* values = space_->data(p);
    const int64_t size = spec.shape[1];
    for (const uint32_t other : others) {
      std::copy_n(values + slot * size, size, values + other * size);
    }
  }
}

}  // namespace polydomain
