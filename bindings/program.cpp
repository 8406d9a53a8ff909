#include <algorithm>

#include "core/recently_used.h"
#include "objects.h"
#include "polydomain/row_scorer.h"
#include "task.h"

namespace polydomain {

struct ProgramObject::State {
  State(std::shared_ptr<SharedSpace> sharedSpace, std::shared_ptr<ThreadPool> threads,
        const Graph& graph, const ProgramOptions& options)
      : shared(std::move(sharedSpace)),
        pool(std::move(threads)),
        program(graph, shared->space, options),
        rows(graph, shared->space, options.output) {
    for (size_t i = 0; i < program.inputNames().size(); ++i) {
      widths.push_back(program.inputSize(i, 2) - program.inputSize(i, 1));
    }
  }

  // Of the runs below the caller holds a reading of the space.

  std::vector<float> run(const Program::Run& request) {
    shared->awaitStart();
    std::vector<float> scores;
    scores.reserve(static_cast<size_t>(request.rows));
    if (request.rows <= kFewRows && !shared->lent) {
      for (int64_t row = 0; row < request.rows; ++row) scores.push_back(runRow(from(request, row)));
      return scores;
    }
    // In blocks: scratch memory stays small, and other callers get their turn between two of them.
    for (int64_t begin = 0; begin < request.rows; begin += kBlockRows) {
      Program::Run block = from(request, begin);
      block.rows = std::min(kBlockRows, request.rows - begin);
      const std::lock_guard lock(mutex);
      runBlock(block);
      scores.insert(scores.end(), program.output(), program.output() + block.rows);
    }
    return scores;
  }

  // The score of the first row.
  float runRow(const Program::Run& request) {
    shared->awaitStart();
    if (shared->lent) {
      const std::lock_guard lock(mutex);
      Program::Run one = request;
      one.rows = 1;
      runBlock(one);
      return *program.output();
    }
    const std::lock_guard lock(rowMutex);
    const ScopedFlushDenormals flush;
    return rows.score(request, shared->version);
  }

  // The same without its first rows.
  Program::Run from(const Program::Run& request, int64_t row) const {
    Program::Run rest = request;
    for (size_t i = 0; i < widths.size(); ++i) {
      // All inputs are of 4-byte values.
      rest.inputs[i].data = static_cast<const char*>(request.inputs[i].data) + 4 * widths[i] * row;
    }
    return rest;
  }

  void runBlock(Program::Run& block) {
    const ScopedFlushDenormals flush;
    if (block.overlay >= 0 && shared->space.hasOverlay(block.overlay)) {
      block.dense = effectiveSlab(block.overlay);
    } else {
      block.overlay = -1;
    }
    program.run(block);
  }

  const float* effectiveSlab(OverlayId domain) {
    if (shared->lent || slabVersion != shared->version) slabs.clear();
    slabVersion = shared->version;
    const std::vector<float>* known = slabs.find(domain);
    if (known == nullptr) {
      std::vector<float> slab(static_cast<size_t>(shared->space.unitCount(0) * kDenseBlock));
      shared->space.gatherDense(domain, slab.data());
      const auto bytes = static_cast<int64_t>(slab.size() * sizeof(float));
      known = slabs.add(domain, std::move(slab), bytes);
    }
    return known->data();
  }

  static constexpr int64_t kBlockRows = 4096;
  // To which one row after the other costs less than a batch.
  static constexpr int64_t kFewRows = 16;
  std::shared_ptr<SharedSpace> shared;
  std::shared_ptr<ThreadPool> pool;
  std::vector<int64_t> widths;  // values of a row, by input; of an input of fixed size 0

  std::mutex mutex;  // of what follows
  Program program;
  RecentlyUsed<OverlayId, std::vector<float>> slabs{RowScorer::kBudget};  // effective dense values
  uint64_t slabVersion = 0;

  std::mutex rowMutex;  // a single row waits for no batch
  RowScorer rows;
};

Napi::Function ProgramObject::define(Napi::Env env) {
  return DefineClass(env, "Program",
                     {InstanceAccessor("inputNames", &ProgramObject::inputNames, nullptr),
                      InstanceMethod("describe", &ProgramObject::describe),
                      InstanceMethod("predict", &ProgramObject::predict),
                      InstanceMethod("predictAsync", &ProgramObject::predictAsync),
                      InstanceMethod("dispose", &ProgramObject::dispose)});
}

ProgramObject::ProgramObject(const Napi::CallbackInfo& info)
    : Napi::ObjectWrap<ProgramObject>(info) {
  guarded(info.Env(), [&] {
    const Graph& graph = GraphObject::Unwrap(info[0].As<Napi::Object>())->graph();
    ProgramOptions options;
    options.mode = Mode::kPredict;
    options.output = info[2].As<Napi::Number>();
    state_ = std::make_shared<State>(SpaceObject::Unwrap(info[1].As<Napi::Object>())->shared(),
                                     info.Env().GetInstanceData<AddonData>()->pool, graph, options);
  });
}

std::shared_ptr<ProgramObject::State> ProgramObject::state() const {
  if (!state_) throw Error(ErrorKind::kBusy, "the program is disposed");
  return state_;
}

Napi::Value ProgramObject::inputNames(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&] {
    const std::vector<std::string>& names = state()->program.inputNames();
    Napi::Array array = Napi::Array::New(info.Env(), names.size());
    for (size_t i = 0; i < names.size(); ++i) array.Set(static_cast<uint32_t>(i), names[i]);
    return array;
  });
}

Napi::Value ProgramObject::describe(const Napi::CallbackInfo& info) {
  return guarded(info.Env(),
                 [&] { return Napi::String::New(info.Env(), state()->program.describe()); });
}

namespace {

// Reads and checks the columns, rows and overlay of a prediction.
Program::Run toRun(const Program& program, ThreadPool& pool, const Napi::Value& given, int64_t rows,
                   const Napi::Value& overlay) {
  Program::Run run;
  const auto columns = given.As<Napi::Array>();
  run.pool = &pool;
  run.rows = rows;
  run.overlay = overlay.As<Napi::Number>().Int32Value();
  const std::vector<std::string>& names = program.inputNames();
  if (columns.Length() != names.size()) {
    throw Error(ErrorKind::kShape, std::to_string(columns.Length()) + " columns; expected " +
                                       std::to_string(names.size()));
  }
  for (uint32_t i = 0; i < columns.Length(); ++i) {
    const auto column = columns.Get(i).As<Napi::TypedArray>();
    const int64_t size = program.inputSize(i, run.rows);
    if (static_cast<int64_t>(column.ElementLength()) < size ||
        dtypeOf(column) != program.inputType(i)) {
      throw Error(ErrorKind::kShape,
                  "column '" + names[i] + "': " + std::to_string(column.ElementLength()) +
                      " values of " + nameOf(dtypeOf(column)) + "; expected " +
                      std::to_string(size) + " of " + nameOf(program.inputType(i)));
    }
    run.inputs.push_back({dataOf(column)});
  }
  return run;
}

void checkIds(const Program& program, const Program::Run& run) {
  for (size_t i = 0; i < run.inputs.size(); ++i) {
    program.checkIds(i, run.inputs[i].data, program.inputSize(i, run.rows));
  }
}

}  // namespace

Napi::Value ProgramObject::predict(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&] {
    const std::shared_ptr<State> state = this->state();
    const int64_t rows = info[1].As<Napi::Number>().Int64Value();
    const Program::Run run = toRun(state->program, *state->pool, info[0], rows, info[2]);
    checkIds(state->program, run);
    const SharedSpace::Reading reading(*state->shared);
    const std::vector<float> scores = state->run(run);
    return toFloat32Array(info.Env(), scores.data(), scores.size());
  });
}

Napi::Value ProgramObject::predictAsync(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&] {
    const std::shared_ptr<State> state = this->state();
    const int64_t rows = info[1].As<Napi::Number>().Int64Value();
    const Program::Run run = toRun(state->program, *state->pool, info[0], rows, info[2]);
    checkIds(state->program, run);
    state->shared->beginReading();
    return Task<std::vector<float>>::start(
        info.Env(), info[0].As<Napi::Object>(), [state, run] { return state->run(run); },
        [](Napi::Env env, std::vector<float>& scores) -> Napi::Value {
          return toFloat32Array(env, scores.data(), scores.size());
        },
        [state] { state->shared->endReading(); });
  });
}

Napi::Value ProgramObject::dispose(const Napi::CallbackInfo& info) {
  state_.reset();
  return info.Env().Undefined();
}

Napi::Function RowObject::define(Napi::Env env) {
  return DefineClass(env, "Row", {InstanceMethod("score", &RowObject::score)});
}

RowObject::RowObject(const Napi::CallbackInfo& info) : Napi::ObjectWrap<RowObject>(info) {
  guarded(info.Env(), [&] {
    const auto state = ProgramObject::Unwrap(info[0].As<Napi::Object>())->state();
    run_ = toRun(state->program, *state->pool, info[1], 1, info[2]);
    const auto columns = info[1].As<Napi::Array>();
    for (uint32_t i = 0; i < columns.Length(); ++i) {
      columns_.push_back(Napi::Persistent(columns.Get(i).As<Napi::Object>()));
    }
    state_ = state;
  });
}

// A number instead of an array: the memory of an array costs more than a small model's score.
Napi::Value RowObject::score(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&] {
    const std::shared_ptr<ProgramObject::State> state = state_.lock();
    if (!state) throw Error(ErrorKind::kBusy, "the program is disposed");
    checkIds(state->program, run_);
    const SharedSpace::Reading reading(*state->shared);
    return Napi::Number::New(info.Env(), state->runRow(run_));
  });
}

}  // namespace polydomain
