#include <algorithm>

#include "objects.h"
#include "task.h"

namespace polydomain {

struct ProgramObject::State {
  State(std::shared_ptr<SharedSpace> sharedSpace, std::shared_ptr<ThreadPool> threads,
        const Graph& graph, ProgramOptions options)
      : shared(std::move(sharedSpace)),
        pool(std::move(threads)),
        program(graph, shared->space, std::move(options)) {}

  // The caller holds a reading of the space. In blocks: scratch memory stays small, and other
  // callers get their turn between two of them.
  std::vector<float> run(const Program::Run& request) {
    shared->awaitStart();
    std::vector<float> scores;
    scores.reserve(static_cast<size_t>(request.rows));
    for (int64_t begin = 0; begin < request.rows; begin += kBlockRows) {
      const std::lock_guard lock(mutex);
      const ScopedFlushDenormals flush;
      Program::Run block = request;
      block.pool = pool.get();
      block.rows = std::min(kBlockRows, request.rows - begin);
      for (size_t i = 0; i < block.inputs.size(); ++i) {
        // An input of fixed size is the same for every block; all others are of 4-byte values.
        const int64_t width = program.inputSize(i, 2) - program.inputSize(i, 1);
        block.inputs[i].data = static_cast<const char*>(block.inputs[i].data) + 4 * width * begin;
      }
      if (block.overlay >= 0 && shared->space.hasOverlay(block.overlay)) {
        dense.resize(static_cast<size_t>(shared->space.unitCount(0) * kDenseBlock));
        shared->space.gatherDense(block.overlay, dense.data());
        block.dense = dense.data();
      } else {
        block.overlay = -1;
      }
      program.run(block);
      scores.insert(scores.end(), program.output(), program.output() + block.rows);
    }
    return scores;
  }

  static constexpr int64_t kBlockRows = 4096;
  std::shared_ptr<SharedSpace> shared;
  std::shared_ptr<ThreadPool> pool;
  std::mutex mutex;
  Program program;
  std::vector<float> dense;
};

Napi::Function ProgramObject::define(Napi::Env env) {
  return DefineClass(env, "Program",
                     {InstanceAccessor("inputNames", &ProgramObject::inputNames, nullptr),
                      InstanceMethod("describe", &ProgramObject::describe),
                      InstanceMethod("predict", &ProgramObject::predict),
                      InstanceMethod("predictRow", &ProgramObject::predictRow),
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
                                     info.Env().GetInstanceData<AddonData>()->pool, graph,
                                     std::move(options));
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

// Reads and checks the columns, rows and overlay of a prediction.
Program::Run ProgramObject::request(const Napi::Value& given, int64_t rows,
                                    const Napi::Value& overlay) const {
  const Program& program = state()->program;
  Program::Run run;
  const auto columns = given.As<Napi::Array>();
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
    program.checkIds(i, dataOf(column), size);
    run.inputs.push_back({dataOf(column)});
  }
  return run;
}

std::vector<float> ProgramObject::scoreNow(const Program::Run& run) const {
  const std::shared_ptr<State> state = this->state();
  state->shared->beginReading();
  try {
    std::vector<float> scores = state->run(run);
    state->shared->endReading();
    return scores;
  } catch (...) {
    state->shared->endReading();
    throw;
  }
}

Napi::Value ProgramObject::predict(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&] {
    const int64_t rows = info[1].As<Napi::Number>().Int64Value();
    const std::vector<float> scores = scoreNow(request(info[0], rows, info[2]));
    return toFloat32Array(info.Env(), scores.data(), scores.size());
  });
}

// A number instead of an array: the memory of an array costs more than a small model's score.
Napi::Value ProgramObject::predictRow(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&] {
    return Napi::Number::New(info.Env(), scoreNow(request(info[0], 1, info[1])).front());
  });
}

Napi::Value ProgramObject::predictAsync(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&] {
    const std::shared_ptr<State> state = this->state();
    const Program::Run run = request(info[0], info[1].As<Napi::Number>().Int64Value(), info[2]);
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

}  // namespace polydomain
