/* A stand-in for Coral's libedgetpu.so.1 (edgetpu_c.h), so that the tests see
 * what an accelerator does to mien. It takes two operators off the CPU:
 * edgetpu-custom-op, which gives the means of a picture's four quarters, and
 * an int8 MAX_POOL_2D of 2x2.
 *
 *   cc -shared -fPIC -I.deps/include fakedelegate.c
 *     -DNO_DEVICE  no stick is plugged in
 *     -DBUSY       it is there but does not open
 *     -DREFUSE     it cannot prepare the network
 *     -DWRONG      it computes something else
 *     -DNEAR       it is two steps off, as a real one may be
 */
#include <stdlib.h>
#include <string.h>

#include "tensorflow/lite/c/common.h"

struct edgetpu_device {
  int type;
  const char* path;
};

static int live; /* delegates created and not freed */

int fake_live(void) { return live; }

static TfLiteStatus pool(const TfLiteTensor* in, TfLiteTensor* out) {
  const int* size = out->dims->data; /* 1, height, width, channels */
  int width = in->dims->data[2];
  for (int y = 0; y < size[1]; y++)
    for (int x = 0; x < size[2]; x++)
      for (int c = 0; c < size[3]; c++) {
        int8_t top = -128;
        for (int k = 0; k < 4; k++) {
          int8_t v = in->data.int8[((2 * y + k / 2) * width + 2 * x + k % 2) * size[3] + c];
          if (v > top) top = v;
        }
        out->data.int8[(y * size[2] + x) * size[3] + c] = top;
      }
  return kTfLiteOk;
}

static TfLiteStatus quarters(const TfLiteTensor* in, TfLiteTensor* out) {
  for (int q = 0; q < 4; q++) {
    int sum = 0;
    for (int y = 0; y < 4; y++)
      for (int x = 0; x < 4; x++) sum += in->data.int8[(q / 2 * 4 + y) * 8 + q % 2 * 4 + x];
    out->data.int8[q] = (int8_t)(sum / 16);
  }
  return kTfLiteOk;
}

static TfLiteStatus kernel_invoke(TfLiteContext* context, TfLiteNode* node) {
  const TfLiteTensor* in = &context->tensors[node->inputs->data[0]];
  TfLiteTensor* out = &context->tensors[node->outputs->data[0]];
  TfLiteStatus status = out->dims->size == 2 ? quarters(in, out) : pool(in, out);
#ifdef WRONG
  for (size_t i = 0; i < out->bytes; i++) out->data.int8[i] = ~out->data.int8[i];
#endif
#ifdef NEAR
  for (size_t i = 0; i < out->bytes; i++)
    if (out->data.int8[i] < 126) out->data.int8[i] += 2;
#endif
  return status;
}

static TfLiteStatus kernel_prepare(TfLiteContext* context, TfLiteNode* node) {
  (void)context;
  return node->inputs->size == 1 && node->outputs->size == 1 ? kTfLiteOk : kTfLiteError;
}

static TfLiteStatus prepare(TfLiteContext* context, TfLiteDelegate* delegate) {
  TfLiteIntArray* plan;
  if (context->GetExecutionPlan(context, &plan) != kTfLiteOk) return kTfLiteError;
#ifdef REFUSE
  (void)delegate;
  context->ReportError(context, "fake edge tpu: no room for %d operators", plan->size);
  return kTfLiteError;
#endif
  TfLiteIntArray* mine = calloc(1, sizeof(TfLiteIntArray) + plan->size * sizeof(int));
  for (int i = 0; i < plan->size; i++) {
    TfLiteNode* node;
    TfLiteRegistration* op;
    if (context->GetNodeAndRegistration(context, plan->data[i], &node, &op) != kTfLiteOk) return kTfLiteError;
    int pooling = op->builtin_code == 17 && context->tensors[node->inputs->data[0]].type == kTfLiteInt8;
    if (pooling || (op->custom_name && !strcmp(op->custom_name, "edgetpu-custom-op"))) mine->data[mine->size++] = plan->data[i];
  }
  TfLiteRegistration kernel;
  memset(&kernel, 0, sizeof kernel);
  kernel.prepare = kernel_prepare;
  kernel.invoke = kernel_invoke;
  kernel.custom_name = "fake edge tpu";
  kernel.version = 1;
  TfLiteStatus status = context->ReplaceNodeSubsetsWithDelegateKernels(context, kernel, mine, delegate);
  free(mine);
  return status;
}

struct edgetpu_device* edgetpu_list_devices(size_t* count) {
#ifdef NO_DEVICE
  *count = 0;
  return NULL;
#endif
  struct edgetpu_device* d = malloc(sizeof *d);
  d->type = 1;
  d->path = "/sys/bus/usb/devices/9-9";
  *count = 1;
  return d;
}

void edgetpu_free_devices(struct edgetpu_device* d) { free(d); }

TfLiteDelegate* edgetpu_create_delegate(int type, const char* path, const void* options, size_t count) {
#ifdef BUSY
  return NULL;
#endif
  if (type != 1 || !path || strcmp(path, "/sys/bus/usb/devices/9-9") || options || count) return NULL;
  TfLiteDelegate* d = calloc(1, sizeof *d);
  d->Prepare = prepare;
  d->flags = kTfLiteDelegateFlagsAllowDynamicTensors; /* as edgetpu_delegate_for_custom_op.cc has it */
  live++;
  return d;
}

void edgetpu_free_delegate(TfLiteDelegate* d) {
  if (d) live--;
  free(d);
}
