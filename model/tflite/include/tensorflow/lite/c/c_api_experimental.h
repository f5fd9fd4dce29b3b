/* What github.com/mattn/go-tflite v1.0.5 calls beyond c_api.h: the declarations
 * of symbols that libtensorflowlite_c.so 2.9.0 exports but whose own header is
 * not in the package that brings it. Only for builds with the tag gotflite. */
#ifndef MIEN_TFLITE_C_API_EXPERIMENTAL_H_
#define MIEN_TFLITE_C_API_EXPERIMENTAL_H_

#include <stdbool.h>
#include <tensorflow/lite/c/c_api.h>
#include <tensorflow/lite/c/common.h>

typedef int TfLiteBuiltinOperator; /* an enum of builtin_ops.h */

TfLiteStatus TfLiteInterpreterResetVariableTensors(TfLiteInterpreter* interpreter);
void TfLiteInterpreterOptionsAddBuiltinOp(TfLiteInterpreterOptions* options, TfLiteBuiltinOperator op,
                                          const TfLiteRegistration* registration, int32_t min_version,
                                          int32_t max_version);
void TfLiteInterpreterOptionsAddCustomOp(TfLiteInterpreterOptions* options, const char* name,
                                         const TfLiteRegistration* registration, int32_t min_version,
                                         int32_t max_version);
void TfLiteInterpreterOptionsSetUseNNAPI(TfLiteInterpreterOptions* options, bool enable);

#endif
