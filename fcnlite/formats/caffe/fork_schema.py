"""The messages and fields that forks of Caffe add, for reading and writing them as text.

In text a field is its name, and here each name has one meaning in all forks. In binary a field is its number, and two
forks use one number for two things. So the numbers here are fcnlite's own: nothing reads options from a caffemodel,
and `without_fork_fields` removes them before one is written.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from google.protobuf.message import Message

FIRST = 20_000
"""The number of the first field or value of a fork in a message or enum; Caffe's are below it."""

ENUMS = {
    "BNParameter.BNMode": "LEARN INFERENCE",
    "BNParameter.Engine": "DEFAULT CAFFE CUDNN",
    "ImageDataParameter.LabelType": "NONE IMAGE PIXEL",
    "MultiStageMeanfieldParameter.Mode": "POTTS CUSTOM",
    "PoolingParameter.PoolMethod": "AVE_EXC_PAD AVE_TF",  # Synopsys'
    "UnpoolingParameter.UnpoolMethod": "MAX AVE TILE",
}
"""The values that forks add to Caffe's enums, and those of their own enums."""

MESSAGES = {
    "BNParameter": """
        scale_filler:FillerParameter shift_filler:FillerParameter bn_mode:BNMode
        slope_filler:FillerParameter bias_filler:FillerParameter momentum:float eps:float frozen:bool
        engine:Engine""",
    "ConvolutionParameter": "hole:uint32* hole_h:uint32 hole_w:uint32",
    "DenseImageDataParameter": """
        source:string batch_size:uint32 rand_skip:uint32 shuffle:bool new_height:uint32 new_width:uint32
        is_color:bool mean_file:string root_folder:string""",
    "DropoutParameter": "scale_train:bool sample_weights_test:bool",
    "ImageDataParameter": "label_type:LabelType ignore_label:int32",
    "InterpParameter": """
        height:int32 width:int32 zoom_factor:int32 shrink_factor:int32 pad_beg:int32 pad_end:int32""",
    "LayerParameter": """
        bn_param:BNParameter dense_image_data_param:DenseImageDataParameter interp_param:InterpParameter
        multi_stage_meanfield_param:MultiStageMeanfieldParameter norm_param:NormalizeParameter
        permute_param:PermuteParameter shuffle_channel_param:ShuffleChannelParameter
        unpooling_param:UnpoolingParameter upsample_param:UpsampleParameter""",
    "LossParameter": "weight_by_label_freqs:bool class_weighting:float*",
    "MultiStageMeanfieldParameter": """
        compatibility_mode:Mode threshold:float theta_alpha:float theta_beta:float theta_gamma:float
        num_iterations:uint32 spatial_filter_weight:float bilateral_filter_weight:float
        spatial_filter_weights_str:string bilateral_filter_weights_str:string force_cpu:bool""",
    "NormalizeParameter": "across_spatial:bool scale_filler:FillerParameter channel_shared:bool eps:float",
    "PermuteParameter": "order:uint32*",
    "PoolingParameter": "ceil_mode:bool pad_l:uint32 pad_r:uint32 pad_t:uint32 pad_b:uint32",
    "ShuffleChannelParameter": "group:uint32",
    "UnpoolingParameter": """
        unpool:UnpoolMethod kernel_size:uint32 kernel_h:uint32 kernel_w:uint32 stride:uint32 stride_h:uint32
        stride_w:uint32 pad:uint32 pad_h:uint32 pad_w:uint32 unpool_size:uint32 unpool_h:uint32 unpool_w:uint32
        output_h:uint32 output_w:uint32 scale:uint32""",
    "UpsampleParameter": """
        scale:uint32 scale_h:uint32 scale_w:uint32 upsample_h:uint32 upsample_w:uint32 pad_out_h:bool
        pad_out_w:bool""",
}
"""The fields that forks add to Caffe's messages, and those of their own messages, as NAME:TYPE (* if repeated)."""


def numbered(entries: str, separator: str) -> str:
    """The entries with numbers, as in the table of Caffe's messages: NAME=NUMBER:TYPE, or NAME=NUMBER for values."""
    found = []
    for number, entry in enumerate(entries.split(), start=FIRST):
        name, _, kind = entry.partition(":")
        found.append(f"{name}={number}{separator}{kind}")
    return " ".join(found)


def without_fork_fields(message: Message) -> None:
    """Remove the fields and enum values of forks from `message` and all messages in it."""
    for field, value in message.ListFields():
        if field.number >= FIRST or (field.enum_type is not None and isinstance(value, int) and value >= FIRST):
            message.ClearField(field.name)
        elif field.message_type is not None:
            for inner in [value] if hasattr(value, "ListFields") else value:
                without_fork_fields(inner)
