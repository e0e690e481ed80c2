/**
 * `readSegments`: many places of files into one array, read by a thread of Node's pool while the program goes on. A promise is given;
 * one call takes the place of as many calls of `fs.read` as there are segments.
 */
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "host.h"

namespace pipeline {
namespace {

struct Segment {
  int file;
  int64_t place, bytes;
};

struct Reading {
  std::vector<Segment> segments;
  char* to;
  /** What went wrong: an errno, or 0 and the segment behind whose file's end it lay; -1 where all went well. */
  int error = 0;
  int64_t cut = -1;
  napi_async_work work = nullptr;
  napi_deferred deferred = nullptr;
  napi_ref array = nullptr;
};

void read(napi_env, void* data) {
  Reading& reading = *static_cast<Reading*>(data);
  char* to = reading.to;
  for (size_t i = 0; i < reading.segments.size(); i++) {
    const Segment& segment = reading.segments[i];
    for (int64_t done = 0; done < segment.bytes;) {
      const ssize_t got = pread(segment.file, to + done, segment.bytes - done, segment.place + done);
      if (got < 0 && errno == EINTR) continue;
      if (got <= 0) {
        reading.error = got < 0 ? errno : 0;
        reading.cut = static_cast<int64_t>(i);
        return;
      }
      done += got;
    }
    to += segment.bytes;
  }
}

/** Gives the number of the segment that could not be read whole, or -1; a fault of the system is thrown. */
void end(napi_env env, napi_status, void* data) {
  Reading* const reading = static_cast<Reading*>(data);
  napi_value result = nullptr;
  if (reading->error != 0) {
    napi_value text = nullptr;
    napi_create_string_utf8(env, std::strerror(reading->error), NAPI_AUTO_LENGTH, &text);
    napi_create_error(env, nullptr, text, &result);
    napi_reject_deferred(env, reading->deferred, result);
  } else {
    napi_create_int64(env, reading->cut, &result);
    napi_resolve_deferred(env, reading->deferred, result);
  }
  napi_delete_reference(env, reading->array);
  napi_delete_async_work(env, reading->work);
  delete reading;
}

/** (files, places, bytes: one of each a segment; to: an array of floats or halves that they fill one after the other) */
napi_value readSegments(napi_env env, napi_callback_info info) {
  Reading* reading = nullptr;
  try {
    const Arguments given(env, info);
    const auto files = given.words(0), bytes = given.words(2);
    const auto places = given.doubles(1);
    require(places.size == files.size && bytes.size == files.size, "A segment has a file, a place and a size.");
    const auto to = given.bytes(3);
    reading = new Reading();
    int64_t total = 0;
    for (int64_t i = 0; i < files.size; i++) {
      reading->segments.push_back({static_cast<int>(files.data[i]), static_cast<int64_t>(places.data[i]), bytes.data[i]});
      total += bytes.data[i];
    }
    require(total == to.size, "The segments do not fill the array.");
    reading->to = to.data;
    napi_value promise = nullptr, name = nullptr;
    // A reference keeps the array's memory until it is filled.
    require(napi_create_reference(env, given.value(3), 1, &reading->array) == napi_ok &&
                napi_create_string_utf8(env, "readSegments", NAPI_AUTO_LENGTH, &name) == napi_ok &&
                napi_create_promise(env, &reading->deferred, &promise) == napi_ok &&
                napi_create_async_work(env, nullptr, name, read, end, reading, &reading->work) == napi_ok &&
                napi_queue_async_work(env, reading->work) == napi_ok,
            "Reading could not begin.");
    return promise;
  } catch (const std::exception& error) {
    delete reading;
    napi_throw_error(env, nullptr, error.what());
    return nullptr;
  }
}

const bool registered = (hostFunctions().push_back({"readSegments", readSegments}), true);

}  // namespace
}  // namespace pipeline
