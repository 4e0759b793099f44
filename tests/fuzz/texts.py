"""Prototxts that the fuzzer starts from."""

NET = """
name: "net" input: "data" input_dim: 1 input_dim: 3 input_dim: 12 input_dim: 10
layer { name: "label" type: "Input" top: "label" input_param { shape { dim: 1 dim: 1 dim: 12 dim: 10 } } }
layer { name: "conv" type: "Convolution" bottom: "data" top: "conv" param { lr_mult: 1 } param { name: "shared" }
  convolution_param { num_output: 4 kernel_size: 3 pad: 1 weight_filler { type: "xavier" } engine: CAFFE } }
layer { name: "relu" type: "ReLU" bottom: "conv" top: "conv" relu_param { negative_slope: 0.1 } }
layer { name: "pool" type: "Pooling" bottom: "conv" top: "pool" pooling_param { pool: MAX kernel_size: 2 stride: 2 } }
layer { name: "norm" type: "LRN" bottom: "pool" top: "norm" lrn_param { local_size: 3 alpha: 0.1 beta: 0.75 } }
layer { name: "drop" type: "Dropout" bottom: "norm" top: "norm" dropout_param { dropout_ratio: 0.4 } }
layer { name: "split" type: "Slice" bottom: "norm" top: "left" top: "right" slice_param { axis: 1 slice_point: 1 } }
layer { name: "join" type: "Concat" bottom: "right" bottom: "left" top: "join" concat_param { axis: 1 } }
layer { name: "up" type: "Deconvolution" bottom: "join" top: "up"
  convolution_param { num_output: 4 kernel_size: 4 stride: 2 group: 4 bias_term: false
                      weight_filler { type: "bilinear" } } }
layer { name: "crop" type: "Crop" bottom: "up" bottom: "label" top: "crop" crop_param { axis: 2 offset: 1 } }
layer { name: "bn" type: "BatchNorm" bottom: "crop" top: "bn" batch_norm_param { eps: 1e-4 } }
layer { name: "scale" type: "Scale" bottom: "bn" top: "bn" scale_param { bias_term: true } }
layer { name: "flat" type: "Reshape" bottom: "bn" top: "flat" reshape_param { shape { dim: 0 dim: -1 } } }
layer { name: "fc" type: "InnerProduct" bottom: "flat" top: "fc" inner_product_param { num_output: 2 } }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "bn" bottom: "label" top: "loss" loss_weight: 0.5
  loss_param { ignore_label: 255 normalization: VALID } include { phase: TRAIN } }
layer { name: "odd" type: "Oddity" bottom: "fc" top: "odd" odd_param { a: 1 b { c: "d" } } exclude { phase: TEST } }
"""
V1 = """
input: "data" input_dim: 1 input_dim: 3 input_dim: 9 input_dim: 9
layers { name: "conv" type: CONVOLUTION bottom: "data" top: "conv" blobs_lr: 1 blobs_lr: 2 weight_decay: 1
  convolution_param { num_output: 2 kernel_h: 3 kernel_w: 2 pad: 1 group: 1 } }
layers { name: "tanh" type: TANH bottom: "conv" top: "conv" }
layers { name: "fc" type: INNER_PRODUCT bottom: "conv" top: "fc" inner_product_param { num_output: 3 } }
layers { name: "prob" type: SOFTMAX bottom: "fc" top: "prob" }
"""
V0 = """
input: "data" input_dim: 1 input_dim: 3 input_dim: 9 input_dim: 9
layers { layer { name: "pad1" type: "padding" pad: 2 } bottom: "data" top: "pad1" }
layers { layer { name: "conv1" type: "conv" num_output: 4 kernelsize: 3 stride: 2 biasterm: false
         blobs_lr: 3 weight_decay: 0.5 } bottom: "pad1" top: "conv1" }
layers { layer { name: "pool1" type: "pool" pool: AVE kernelsize: 3 stride: 2 } bottom: "conv1" top: "pool1" }
layers { layer { name: "norm1" type: "lrn" local_size: 3 alpha: 0.1 } bottom: "pool1" top: "norm1" }
"""
SOLVER = """
net_param { name: "n" layer { name: "d" type: "Input" top: "d" } } base_lr: 1e-4 lr_policy: "step" gamma: 0.1
stepvalue: [1, 2] solver_mode: CPU solver_type: ADAM test_iter: 3 train_state { level: 1 stage: "a" } random_seed: 7
"""

FORKS = """
input: "data" input_dim: 1 input_dim: 2 input_dim: 8 input_dim: 8
layers { name: "r" type: RELU bottom: "data" top: "r" }
layer { name: "c" type: "Convolution" bottom: "r" top: "c" convolution_param { num_output: 2 kernel_size: 3 pad: 2
        hole: 2 engine: MKLDNN } }
layer { name: "c" type: "BN" bottom: "c" top: "b" bn_param { momentum: 0.9 frozen: true } }
layer { name: "p" type: "Pooling" bottom: "b" top: "p" top: "m"
        pooling_param { kernel_size: 2 stride: 2 ceil_mode: true } }
layer { name: "u" type: "Upsample" bottom: "p" bottom: "m" top: "u" upsample_param { scale: 2 } }
layer { name: "i" type: "Interp" bottom: "u" top: "i" interp_param { zoom_factor: 2 pad_end: -1 } }
layer { name: "q" type: "Pooling" bottom: "i" top: "q" pooling_param { pool: AVE_EXC_PAD kernel_size: 3 pad_l: 1 } }
layer { name: "s" type: "SPP" bottom: "q" top: "s" spp_param { pyramid_height: 2 } }
layer { name: "n" type: "Normalize" bottom: "q" top: "n" norm_param { across_spatial: false } }
layer { name: "o" type: "Permute" bottom: "n" top: "o" permute_param { order: 0 order: 2 } }
layer { name: "h" type: "Silence" bottom: "o" }
"""
"""A net with the words and the layers of forks, in two forms."""
