#include <napi.h>

#include <algorithm>
#include <cstdlib>
#include <map>

#include "convert.h"
#include "cpu/auc.h"
#include "cpu/bootstrap.h"
#include "cpu/simd.h"
#include "objects.h"
#include "polydomain/cuda.h"
#include "task.h"

namespace polydomain {

namespace {

Napi::Value allocate(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&] {
    const auto bytes = static_cast<size_t>(info[0].As<Napi::Number>().Int64Value());
    return toArrayBuffer(info.Env(), Storage::allocate(bytes));
  });
}

Napi::Value release(const Napi::CallbackInfo& info) {
  auto buffer = info[0].As<Napi::ArrayBuffer>();
  if (!buffer.IsDetached()) buffer.Detach();
  return info.Env().Undefined();
}

Napi::Value call(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&] {
    const Napi::Env env = info.Env();
    const std::string name = info[0].As<Napi::String>();
    const OpDefinition& op = OpRegistry::instance().find(name);
    const auto list = info[1].As<Napi::Array>();
    const Attributes attributes = toAttributes(info[2].As<Napi::Object>());
    const auto count = static_cast<int>(list.Length());
    if (op.cpu == nullptr || count < op.minInputs || count > op.maxInputs) {
      throw Error(ErrorKind::kTrace,
                  "op '" + name + "' cannot be called with " + std::to_string(count) + " tensors");
    }
    std::vector<TensorType> types;
    std::vector<TensorView> inputs;
    for (uint32_t i = 0; i < list.Length(); ++i) {
      const auto value = list.Get(i).As<Napi::Object>();
      const auto array = value.Get("data").As<Napi::TypedArray>();
      TensorView view{const_cast<void*>(dataOf(array)), dtypeOf(array), toShape(value.Get("shape")),
                      0};
      view.rowStride = view.rowSize();
      if (view.size() != static_cast<int64_t>(array.ElementLength())) {
        throw Error(ErrorKind::kShape, name + ": " + std::to_string(array.ElementLength()) +
                                           " values of shape " + toString(view.shape));
      }
      types.push_back({view.type, view.shape});
      inputs.push_back(std::move(view));
    }
    const TensorType type = op.type(attributes, types);
    if (op.check != nullptr) op.check(attributes, inputs);
    const auto elements = static_cast<size_t>(elementCount(type.shape));
    const auto storage = Storage::allocate(elements * sizeOf(type.type));
    TensorView output{storage->data(), type.type, type.shape, 0};
    output.rowStride = output.rowSize();
    const RunContext context{*env.GetInstanceData<AddonData>()->pool,
                             static_cast<uint64_t>(info[3].As<Napi::Number>().Int64Value()),
                             static_cast<uint64_t>(info[4].As<Napi::Number>().Int64Value())};
    op.cpu(context, attributes, inputs, output);
    Napi::Object result = Napi::Object::New(env);
    result.Set("data", toTypedArray(env, type.type, toArrayBuffer(env, storage), elements));
    result.Set("shape", fromShape(env, type.shape));
    result.Set("dtype", nameOf(type.type));
    return result;
  });
}

// Ends the process now: process.exit() would wait for the native work that is under way.
Napi::Value exitNow(const Napi::CallbackInfo& info) {
  std::_Exit(info[0].As<Napi::Number>().Int32Value());
}

RandomKey keyOf(const Napi::Value& seed, const Napi::Value& stream, uint64_t step) {
  return {static_cast<uint64_t>(seed.As<Napi::Number>().Int64Value()),
          streamOf(std::string(stream.As<Napi::String>())), step};
}

Napi::Value fillRandom(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&] {
    auto target = info[0].As<Napi::Float32Array>();
    const Initializer init = toInitializer(info[1].As<Napi::Object>());
    const RandomKey key = keyOf(info[2], info[3], 0);
    const auto count = static_cast<int64_t>(target.ElementLength());
    if (init.kind == InitKind::kUniform) {
      fillUniform(key, 0, count, init.a, init.b, target.Data());
    } else if (init.kind == InitKind::kNormal) {
      fillNormal(key, 0, count, init.a, init.b, target.Data());
    } else {
      std::fill_n(target.Data(), count, init.kind == InitKind::kConstant ? init.a : 0.0f);
    }
    return info.Env().Undefined();
  });
}

Napi::Value permutation(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&] {
    const auto count = info[0].As<Napi::Number>().Int64Value();
    Napi::Int32Array out = Napi::Int32Array::New(info.Env(), static_cast<size_t>(count));
    const auto step = static_cast<uint64_t>(info[3].As<Napi::Number>().Int64Value());
    fillPermutation(keyOf(info[1], info[2], step), count, out.Data());
    return out;
  });
}

// `amount` different numbers of 0 .. count - 1, drawn in O(amount): a shuffle's beginning.
Napi::Value sample(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&] {
    const auto count = info[0].As<Napi::Number>().Int64Value();
    const auto amount = std::min(count, info[1].As<Napi::Number>().Int64Value());
    std::vector<float> uniform(static_cast<size_t>(amount));
    const auto step = static_cast<uint64_t>(info[4].As<Napi::Number>().Int64Value());
    fillUniform(keyOf(info[2], info[3], step), 0, amount, 0.0f, 1.0f, uniform.data());
    std::map<int64_t, int32_t> moved;  // places of the shuffle that no longer hold their own number
    const auto at = [&](int64_t place) {
      const auto found = moved.find(place);
      return found == moved.end() ? static_cast<int32_t>(place) : found->second;
    };
    Napi::Int32Array out = Napi::Int32Array::New(info.Env(), static_cast<size_t>(amount));
    for (int64_t i = 0; i < amount; ++i) {
      const double share = uniform[static_cast<size_t>(i)];
      const auto j = std::min(count - 1, i + static_cast<int64_t>(share * (count - i)));
      out[static_cast<size_t>(i)] = at(j);
      moved[j] = at(i);
    }
    return out;
  });
}

// Scores and labels of one length.
struct Scored {
  explicit Scored(const Napi::CallbackInfo& info)
      : scores(info[0].As<Napi::Float32Array>()), labels(info[1].As<Napi::Float32Array>()) {
    if (dtypeOf(scores) != DType::kFloat32 || dtypeOf(labels) != DType::kFloat32) {
      throw Error(ErrorKind::kShape, std::string("scores of ") + nameOf(dtypeOf(scores)) +
                                         " and labels of " + nameOf(dtypeOf(labels)) +
                                         "; expected two Float32Arrays");
    }
    if (scores.ElementLength() == labels.ElementLength()) return;
    throw Error(ErrorKind::kShape, std::to_string(scores.ElementLength()) + " scores and " +
                                       std::to_string(labels.ElementLength()) +
                                       " labels; expected as many");
  }
  int64_t count() const { return static_cast<int64_t>(scores.ElementLength()); }
  Napi::Float32Array scores, labels;
};

Napi::Value rocAuc(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&] {
    Scored rows(info);
    ThreadPool& pool = *info.Env().GetInstanceData<AddonData>()->pool;
    return Napi::Number::New(info.Env(),
                             cpu::auc(pool, rows.scores.Data(), rows.labels.Data(), rows.count()));
  });
}

Napi::Value meanLogLoss(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&] {
    Scored rows(info);
    return Napi::Number::New(info.Env(),
                             cpu::logLoss(rows.scores.Data(), rows.labels.Data(), rows.count()));
  });
}

// (runs, labels, domainOffsets, resamples, seed): [resamples x runs], off the event loop.
Napi::Value bootstrapAucs(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&] {
    const Napi::Env env = info.Env();
    // Keeps the arrays, which the work reads, alive.
    Napi::Object owner = Napi::Object::New(env);
    for (uint32_t i = 0; i < 3; ++i) owner.Set(i, info[i]);
    const auto labels = info[1].As<Napi::Float32Array>();
    const auto domainOffsets = info[2].As<Napi::Int32Array>();
    std::vector<const float*> runs;
    const auto list = info[0].As<Napi::Array>();
    for (uint32_t i = 0; i < list.Length(); ++i) {
      const auto scores = list.Get(i).As<Napi::Float32Array>();
      if (scores.ElementLength() != labels.ElementLength()) {
        throw Error(ErrorKind::kShape, std::to_string(scores.ElementLength()) + " scores and " +
                                           std::to_string(labels.ElementLength()) +
                                           " labels; expected as many");
      }
      runs.push_back(scores.Data());
    }
    std::vector<int32_t> offsets(domainOffsets.Data(),
                                 domainOffsets.Data() + domainOffsets.ElementLength());
    const bool ordered = !offsets.empty() && offsets.front() == 0 &&
                         std::is_sorted(offsets.begin(), offsets.end()) &&
                         offsets.back() == static_cast<int32_t>(labels.ElementLength());
    if (!ordered) {
      throw Error(ErrorKind::kShape, "domainOffsets; expected them to rise from 0 to the " +
                                         std::to_string(labels.ElementLength()) + " rows");
    }
    const int64_t resamples = info[3].As<Napi::Number>();
    const auto seed = static_cast<uint64_t>(info[4].As<Napi::Number>().Int64Value());
    const std::shared_ptr<ThreadPool> pool = env.GetInstanceData<AddonData>()->pool;
    return Task<std::vector<double>>::start(
        env, owner,
        [pool, runs = std::move(runs), labels = labels.Data(), offsets = std::move(offsets),
         resamples,
         seed] { return cpu::bootstrapAucs(*pool, runs, labels, offsets, resamples, seed); },
        [](Napi::Env own, std::vector<double>& means) -> Napi::Value {
          auto array = Napi::Float64Array::New(own, means.size());
          std::copy(means.begin(), means.end(), array.Data());
          return array;
        },
        [] {});
  });
}

Napi::Array fromStrings(Napi::Env env, const std::vector<std::string>& strings) {
  Napi::Array array = Napi::Array::New(env, strings.size());
  for (size_t i = 0; i < strings.size(); ++i) array.Set(static_cast<uint32_t>(i), strings[i]);
  return array;
}

Napi::Object initialize(Napi::Env env, Napi::Object exports) {
  auto data = std::make_unique<AddonData>();
  data->errors = Napi::Persistent(Napi::Object::New(env));
  AddonData* addon = data.get();
  env.SetInstanceData(data.release());  // Node deletes it with the environment
  guarded(env, [&] {
    cpu::simdLevel();
    addon->pool = std::make_shared<ThreadPool>(ThreadPool::defaultThreads());
  });
  exports.Set("version", POLYDOMAIN_VERSION);
  const auto method = [&](const char* name, Napi::Value (*function)(const Napi::CallbackInfo&)) {
    exports.Set(name, Napi::Function::New(env, function, name));
  };
  method("setErrorClasses", [](const Napi::CallbackInfo& info) -> Napi::Value {
    info.Env().GetInstanceData<AddonData>()->errors = Napi::Persistent(info[0].As<Napi::Object>());
    return info.Env().Undefined();
  });
  method("simdLevel", [](const Napi::CallbackInfo& info) -> Napi::Value {
    return Napi::String::New(info.Env(), cpu::simdLevel());
  });
  method("supportedSimdLevels", [](const Napi::CallbackInfo& info) -> Napi::Value {
    return fromStrings(info.Env(), cpu::supportedSimdLevels());
  });
  method("cuda", [](const Napi::CallbackInfo& info) -> Napi::Value {
    return Napi::String::New(info.Env(), describeCuda(cudaPluginPath()));
  });
  method("threads", [](const Napi::CallbackInfo& info) -> Napi::Value {
    return Napi::Number::New(info.Env(), info.Env().GetInstanceData<AddonData>()->pool->size());
  });
  method("ops", [](const Napi::CallbackInfo& info) -> Napi::Value {
    return fromStrings(info.Env(), OpRegistry::instance().names());
  });
  method("allocate", allocate);
  method("release", release);
  method("call", call);
  method("fillRandom", fillRandom);
  method("permutation", permutation);
  method("sample", sample);
  method("exitNow", exitNow);
  method("auc", rocAuc);
  method("logLoss", meanLogLoss);
  method("bootstrapAucs", bootstrapAucs);
  exports.Set("Graph", GraphObject::define(env));
  exports.Set("Space", SpaceObject::define(env));
  exports.Set("Program", ProgramObject::define(env));
  exports.Set("Row", RowObject::define(env));
  exports.Set("Session", SessionObject::define(env));
  return exports;
}

}  // namespace

NODE_API_MODULE(polydomain, initialize)  // NOLINT

}  // namespace polydomain
