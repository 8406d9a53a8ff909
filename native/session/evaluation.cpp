// Scores of a domain's rows, and their loss and AUC.

#include <algorithm>

#include "cpu/auc.h"
#include "cpu/elementwise.h"
#include "scoped.h"
#include "session_impl.h"

namespace polydomain {

namespace {

constexpr int64_t kEvaluationRows = 4096;

}  // namespace

template <typename Use>
std::optional<double> Session::Impl::scoreRows(int splitIndex, int32_t domain, OverlayId overlay,
                                               bool stoppable, Use&& use) {
  if (!evaluation_) {
    throw Error(ErrorKind::kConfig, "the session has no evaluation program");
  }
  settleBut(-1);
  const SplitData& split = at(splits_, splitIndex, "split");
  const RowRange range = rowsOf(split, domain);
  Program::Run run = startRun();
  const bool own = overlay >= 0 && space_->hasOverlay(overlay);
  ScopedDevicePass onDevice(mirror_.get(), own ? overlay : -1, nullptr);
  if (own && !mirror_) {
    run.overlay = overlay;
    effectiveDense_.resize(static_cast<size_t>(space_->unitCount(0) * kDenseBlock));
    space_->gatherDense(overlay, effectiveDense_.data());
    run.dense = effectiveDense_.data();
  }
  const int64_t windowRows =
      std::max(kEvaluationRows, split.windowRows / kEvaluationRows * kEvaluationRows);
  if (split.file) order_.stream().begin(split.file, consecutive(range, windowRows));
  double lossSum = 0.0;
  for (int64_t begin = 0; begin < range.count; begin += kEvaluationRows) {
    if (stoppable && cancelled_) return std::nullopt;
    run.rows = std::min(kEvaluationRows, range.count - begin);
    beginStep(profile_.get(), Profile::kEvaluationStep);
    const SplitData& source = split.file ? order_.stream().window(begin / windowRows).rows : split;
    const int64_t first = split.file ? begin % windowRows : range.begin + begin;
    batch_.view(*evaluation_, source, first, domain, run);
    lap(profile_.get(), Profile::kGatherBatch);
    evaluation_->program->run(run);
    endStep(profile_.get());
    lossSum += static_cast<double>(evaluation_->program->loss()) * static_cast<double>(run.rows);
    use(evaluation_->program->output(), source.labels + first, run.rows);
  }
  return range.count > 0 ? lossSum / static_cast<double>(range.count) : 0.0;
}

std::vector<float> Session::Impl::scores(int split, int32_t domain, OverlayId overlay) {
  const Lease lease(*this);
  const ScopedFlushDenormals flush;
  checkSplits();
  std::vector<float> scores;
  scoreRows(split, domain, overlay, /*stoppable=*/false,
            [&](const float* logits, const float*, int64_t rows) {
              scores.insert(scores.end(), logits, logits + rows);
            });
  cpu::unary(*pool_, cpu::Unary::kSigmoid, {}, scores.data(), scores.data(), std::ssize(scores));
  return scores;
}

std::optional<CommandResult> Session::Impl::evaluate(int splitIndex, int32_t domain,
                                                     OverlayId overlay) {
  const SplitData& split = at(splits_, splitIndex, "split");
  CommandResult result;
  result.rows = rowsOf(split, domain).count;
  // Of rows on disk there may be more than memory has room for.
  const int64_t most = split.file ? std::max(kEvaluationRows, split.windowRows / 4) : result.rows;
  cpu::Ranking ranking(*pool_, std::min(result.rows, most), options_.spillFolder);
  const std::optional<double> loss =
      scoreRows(splitIndex, domain, overlay, /*stoppable=*/true,
                [&](const float* logits, const float* labels, int64_t rows) {
                  ranking.add(logits, labels, rows);
                  lap(profile_.get(), Profile::kAuc);
                });
  if (!loss) return std::nullopt;
  result.loss = *loss;
  result.auc = ranking.auc();
  lap(profile_.get(), Profile::kAuc);
  return result;
}

std::optional<CommandResult> Session::Impl::evaluateTuned(const Command& command) {
  const int64_t firstStep = steps_;
  at(optimizers_, command.optimizer, "optimizer")->reset();
  ScopedMark start(*space_);
  Command tuning = command;
  tuning.split = command.other;
  bool stopped = false;
  for (int64_t number = 0; number < command.passes && !stopped; ++number) {
    stopped = runPass(tuning, command.pass + number, {}, true).interruptedAt > 0;
  }
  std::optional<CommandResult> scored;
  if (!stopped) scored = evaluate(command.split, command.domain, command.overlay);
  space_->restore(start.id());
  start.end();
  // What rows lack of its steps is undone with them.
  at(optimizers_, command.optimizer, "optimizer")->reset();
  steps_ = firstStep;
  return scored;
}

}  // namespace polydomain
