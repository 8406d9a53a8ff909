// Passes over one domain until its score stops rising.

#include <algorithm>
#include <cmath>

#include "scoped.h"
#include "session_impl.h"

namespace polydomain {

namespace {

// Higher is better: AUC, or the negative loss where one class is missing.
double scoreOf(const CommandResult& evaluated) {
  return std::isnan(evaluated.auc) ? -evaluated.loss : evaluated.auc;
}

}  // namespace

std::optional<CommandResult> Session::Impl::converge(
    const Command& command, const std::vector<std::vector<int32_t>>& orders) {
  const int64_t rows = rowsOf(at(splits_, command.split, "split"), command.domain).count;
  const std::span<const int32_t> given = orderOf(command, orders);
  const int64_t passes = std::max<int64_t>(1, command.passes);
  if (!given.empty() && static_cast<int64_t>(given.size()) != passes * rows) {
    throw Error(ErrorKind::kData, "row order: " + std::to_string(given.size()) +
                                      " rows; expected " + std::to_string(passes) + " passes of " +
                                      std::to_string(rows));
  }
  const int64_t firstStep = steps_;
  at(optimizers_, command.optimizer, "optimizer")->reset();
  ScopedMark start(*space_);
  std::optional<ScopedMark> best;
  CommandResult total, kept;
  double bestScore = 0.0;
  int64_t waited = 0;
  for (int64_t number = 0; number < passes; ++number) {
    const auto own = given.empty() ? given
                                   : given.subspan(static_cast<size_t>(number * rows),
                                                   static_cast<size_t>(rows));
    const Pass pass = runPass(command, command.pass + number, own, true);
    const std::optional<CommandResult> scored =
        pass.interruptedAt > 0 ? std::nullopt
                               : evaluate(command.other, command.domain, command.overlay);
    if (!scored) {
      space_->restore(start.id());
      if (best) best->end();
      start.end();
      // What rows lack of the pass is undone with it.
      at(optimizers_, command.optimizer, "optimizer")->reset();
      steps_ = firstStep;
      return std::nullopt;
    }
    total.rows += pass.result.rows;
    total.steps += pass.result.steps;
    if (!best || scoreOf(*scored) > bestScore + command.rate) {
      if (best) best->end();
      best.emplace(*space_);
      bestScore = scoreOf(*scored);
      kept = {pass.result.loss, scored->auc, 0, 0};
      waited = 0;
    } else if (++waited >= command.patience) {
      break;
    }
    if (scored->rows == 0) break;
  }
  space_->restore(best->id());
  best->end();
  start.end();
  return CommandResult{kept.loss, kept.auc, total.rows, total.steps};
}

}  // namespace polydomain
