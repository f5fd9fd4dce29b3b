"""Runs inside the sandbox, in PyTorch's own environment, and is all of mien that is there: opens the
pickled network (which runs its code), draws its graph, writes it as ONNX to standard output.

opened.py FILE SIDE; what it says goes to standard error, the last line being the reason of a failure."""

import io
import os
import sys


def main(path, side):
    out = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever the file prints is no ONNX
    import torch
    m = torch.load(path, map_location="cpu", weights_only=False)
    if not isinstance(m, torch.nn.Module):
        sys.exit(f"holds weights without their network ({type(m).__name__}): load them into it and export that")
    f = io.BytesIO()
    torch.onnx.export(m.eval(), (torch.zeros(1, 3, side, side),), f, input_names=["input"], output_names=["output"], opset_version=17, dynamo=False)
    out.write(f.getvalue())
    out.close()


if __name__ == "__main__":
    try:
        main(sys.argv[1], int(sys.argv[2]))
    except (AttributeError, ModuleNotFoundError) as e:
        sys.exit(f"{e}: its own code, or the timm it was made with, is not here: export it where they are")
    except Exception as e:
        sys.exit(f"{type(e).__name__}: {e}")
