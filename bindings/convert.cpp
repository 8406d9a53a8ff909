#include "convert.h"

#include <cmath>
#include <cstring>
#include <map>

namespace polydomain {

namespace {

const char* classOf(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::kShape:
      return "ShapeError";
    case ErrorKind::kData:
      return "DataError";
    case ErrorKind::kConfig:
      return "ConfigError";
    case ErrorKind::kCheckpoint:
      return "CheckpointError";
    case ErrorKind::kDevice:
      return "DeviceError";
    case ErrorKind::kBusy:
      return "BusyError";
    case ErrorKind::kTrace:
      return "TraceError";
    case ErrorKind::kTraining:
      break;
  }
  return "TrainingError";
}

}  // namespace

Napi::Error toJs(Napi::Env env, ErrorKind kind, const std::string& message) {
  const auto* data = env.GetInstanceData<AddonData>();
  const Napi::Value type =
      data->errors.IsEmpty() ? env.Undefined() : data->errors.Value().Get(classOf(kind));
  if (!type.IsFunction()) return Napi::Error::New(env, message);
  return {env, type.As<Napi::Function>().New({Napi::String::New(env, message)})};
}

Napi::ArrayBuffer toArrayBuffer(Napi::Env env, const std::shared_ptr<Storage>& storage) {
  auto owner = std::make_unique<std::shared_ptr<Storage>>(storage);
  auto* hint = owner.release();  // the finalizer takes it back
  return Napi::ArrayBuffer::New(
      env, storage->data(), storage->bytes(),
      [](Napi::Env, void*, std::shared_ptr<Storage>* held) {
        const std::unique_ptr<std::shared_ptr<Storage>> dropped(held);
      },
      hint);
}

Napi::TypedArray toTypedArray(Napi::Env env, DType type, Napi::ArrayBuffer buffer, size_t count) {
  switch (type) {
    case DType::kFloat64:
      return Napi::Float64Array::New(env, count, buffer, 0);
    case DType::kInt32:
      return Napi::Int32Array::New(env, count, buffer, 0);
    case DType::kUint8:
      return Napi::Uint8Array::New(env, count, buffer, 0);
    case DType::kFloat32:
      break;
  }
  return Napi::Float32Array::New(env, count, buffer, 0);
}

Napi::Float32Array toFloat32Array(Napi::Env env, const float* data, size_t count) {
  Napi::Float32Array array = Napi::Float32Array::New(env, count);
  if (count > 0) std::memcpy(array.Data(), data, count * sizeof(float));
  return array;
}

DType dtypeOf(const Napi::TypedArray& array) {
  switch (array.TypedArrayType()) {
    case napi_float32_array:
      return DType::kFloat32;
    case napi_float64_array:
      return DType::kFloat64;
    case napi_int32_array:
      return DType::kInt32;
    case napi_uint8_array:
      return DType::kUint8;
    default:
      throw Error(ErrorKind::kShape,
                  "expected a Float32Array, Float64Array, Int32Array or Uint8Array");
  }
}

DType dtypeNamed(const std::string& name) {
  for (const DType type : {DType::kFloat32, DType::kFloat64, DType::kInt32, DType::kUint8}) {
    if (name == nameOf(type)) return type;
  }
  throw Error(ErrorKind::kShape, "dtype '" + name + "'; expected float32, float64, int32 or uint8");
}

const void* dataOf(const Napi::TypedArray& array) {
  return static_cast<const char*>(array.ArrayBuffer().Data()) + array.ByteOffset();
}

Shape toShape(const Napi::Value& value) {
  Shape shape;
  const auto array = value.As<Napi::Array>();
  for (uint32_t i = 0; i < array.Length(); ++i) {
    const double size = array.Get(i).As<Napi::Number>();
    if (std::nearbyint(size) != size) {
      throw Error(ErrorKind::kShape, "a size of " + std::to_string(size) + "; expected an integer");
    }
    shape.push_back(static_cast<int64_t>(size));
  }
  return shape;
}

Napi::Array fromShape(Napi::Env env, const Shape& shape) {
  Napi::Array array = Napi::Array::New(env, shape.size());
  for (size_t i = 0; i < shape.size(); ++i) {
    array.Set(static_cast<uint32_t>(i), Napi::Number::New(env, static_cast<double>(shape[i])));
  }
  return array;
}

Attributes toAttributes(const Napi::Object& object) {
  Attributes attributes;
  const Napi::Array names = object.GetPropertyNames();
  for (uint32_t i = 0; i < names.Length(); ++i) {
    const std::string name = names.Get(i).As<Napi::String>();
    const Napi::Value value = object.Get(name);
    if (value.IsUndefined()) continue;
    if (value.IsBoolean()) {
      attributes.set(name, value.As<Napi::Boolean>().Value());
    } else if (value.IsNumber()) {
      const double number = value.As<Napi::Number>();
      if (std::nearbyint(number) == number && std::abs(number) < 9.0e15) {
        attributes.set(name, static_cast<int64_t>(number));
      } else {
        attributes.set(name, number);
      }
    } else if (value.IsString()) {
      attributes.set(name, std::string(value.As<Napi::String>()));
    } else if (value.IsArray()) {
      attributes.set(name, toShape(value));
    } else {
      throw Error(ErrorKind::kConfig, "attribute '" + name +
                                          "'; expected a boolean, a number, a string or a list of "
                                          "integers");
    }
  }
  return attributes;
}

Napi::Object fromAttributes(Napi::Env env, const Attributes& attributes) {
  Napi::Object object = Napi::Object::New(env);
  for (const auto& [name, attribute] : attributes.values()) {
    const Napi::Value value = std::visit(
        [&](const auto& held) -> Napi::Value {
          using Held = std::remove_cvref_t<decltype(held)>;
          if constexpr (std::is_same_v<Held, bool>) return Napi::Boolean::New(env, held);
          if constexpr (std::is_same_v<Held, int64_t>) {
            return Napi::Number::New(env, static_cast<double>(held));
          }
          if constexpr (std::is_same_v<Held, double>) return Napi::Number::New(env, held);
          if constexpr (std::is_same_v<Held, std::string>) return Napi::String::New(env, held);
          if constexpr (std::is_same_v<Held, std::vector<int64_t>>) return fromShape(env, held);
        },
        attribute);
    object.Set(name, value);
  }
  return object;
}

std::vector<std::string> toStrings(const Napi::Value& value) {
  std::vector<std::string> strings;
  const auto array = value.As<Napi::Array>();
  for (uint32_t i = 0; i < array.Length(); ++i) {
    strings.push_back(array.Get(i).As<Napi::String>());
  }
  return strings;
}

Initializer toInitializer(const Napi::Object& object) {
  Initializer init;
  const std::string kind = object.Get("kind").As<Napi::String>();
  if (kind == "zeros") {
    init.kind = InitKind::kZeros;
  } else if (kind == "constant") {
    init.kind = InitKind::kConstant;
  } else if (kind == "uniform") {
    init.kind = InitKind::kUniform;
  } else if (kind == "normal") {
    init.kind = InitKind::kNormal;
  } else {
    throw Error(ErrorKind::kConfig,
                "initializer '" + kind + "'; expected zeros, constant, uniform or normal");
  }
  init.a = static_cast<float>(numberAt(object, "a", 0.0));
  init.b = static_cast<float>(numberAt(object, "b", 0.0));
  return init;
}

namespace {

Schedule toSchedule(const Napi::Object& object) {
  static const std::map<std::string, ScheduleKind> kinds = {
      {"constant", ScheduleKind::kConstant},
      {"exponential", ScheduleKind::kExponential},
      {"step", ScheduleKind::kStep},
      {"cosine", ScheduleKind::kCosine},
      {"inverse", ScheduleKind::kInverse}};
  const std::string name = object.Get("kind").As<Napi::String>();
  const auto kind = kinds.find(name);
  if (kind == kinds.end()) {
    throw Error(ErrorKind::kConfig, "schedule '" + name +
                                        "'; expected constant, exponential, step, cosine or "
                                        "inverse");
  }
  Schedule schedule;
  schedule.kind = kind->second;
  const auto steps = [&](const char* key, int64_t fallback) {
    return static_cast<int64_t>(numberAt(object, key, static_cast<double>(fallback)));
  };
  schedule.warmup = steps("warmup", schedule.warmup);
  schedule.gamma = numberAt(object, "gamma", schedule.gamma);
  schedule.every = steps("every", schedule.every);
  schedule.steps = steps("steps", schedule.steps);
  schedule.minimum = numberAt(object, "minimum", schedule.minimum);
  schedule.power = numberAt(object, "power", schedule.power);
  const Napi::Value milestones = object.Get("milestones");
  if (milestones.IsArray()) schedule.milestones = toShape(milestones);
  return schedule;
}

}  // namespace

OptimizerSpec toOptimizerSpec(const Napi::Object& object) {
  OptimizerSpec spec;
  const std::string kind = object.Get("kind").As<Napi::String>();
  if (kind == "sgd") {
    spec.kind = OptimizerKind::kSgd;
  } else if (kind == "adagrad") {
    spec.kind = OptimizerKind::kAdagrad;
  } else if (kind == "adam") {
    spec.kind = OptimizerKind::kAdam;
  } else if (kind == "adamw") {
    spec.kind = OptimizerKind::kAdamW;
  } else {
    throw Error(ErrorKind::kConfig,
                "optimizer '" + kind + "'; expected sgd, adagrad, adam or adamw");
  }
  const auto number = [&](const char* key, float fallback) {
    return static_cast<float>(numberAt(object, key, fallback));
  };
  spec.learningRate = number("learningRate", spec.learningRate);
  spec.momentum = number("momentum", spec.momentum);
  spec.nesterov = object.Get("nesterov").ToBoolean();
  spec.beta1 = number("beta1", spec.beta1);
  spec.beta2 = number("beta2", spec.beta2);
  spec.epsilon = number("epsilon", spec.epsilon);
  const Napi::Value form = object.Get("epsilonForm");
  if (form.IsString() && std::string(form.As<Napi::String>()) == "tf1") {
    spec.epsilonForm = EpsilonForm::kTf1;
  }
  const Napi::Value rows = object.Get("rows");
  if (rows.IsString() && std::string(rows.As<Napi::String>()) == "dense") {
    spec.rows = RowSteps::kDense;
  }
  spec.weightDecay = number("weightDecay", spec.weightDecay);
  spec.initialAccumulator = number("initialAccumulator", spec.initialAccumulator);
  const Napi::Value schedule = object.Get("schedule");
  if (schedule.IsObject()) spec.schedule = toSchedule(schedule.As<Napi::Object>());
  return spec;
}

}  // namespace polydomain
