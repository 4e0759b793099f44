"""Caffe's messages as a table, and the protobuf classes built from it.

Names, numbers, types and labels are those of `caffe.proto` in BVLC Caffe (master at 9b891540, proto2). The classes have
their own descriptor pool, so they do not clash with another package's `caffe.proto`, and protoc is not needed. The
table has no default values: readers read only the fields that a file sets, and the layers hold the defaults. The fields
of forks are added from `fork_schema`.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fcnlite.formats.caffe import fork_schema

if TYPE_CHECKING:
    from google.protobuf.descriptor_pool import DescriptorPool
    from google.protobuf.message import Message

PREFIX = "fcnlite.caffe."
"""The prefix of the full names of messages and enums."""

_ENGINE = "DEFAULT=0 CAFFE=1 CUDNN=2"
_POOL_METHOD = "MAX=0 AVE=1 STOCHASTIC=2"
_CHECK_MODE = "STRICT=0 PERMISSIVE=1"

# The values of each enum. An enum named MESSAGE.ENUM is nested in that message.
_ENUMS = {
    "Phase": "TRAIN=0 TEST=1",
    "FillerParameter.VarianceNorm": "FAN_IN=0 FAN_OUT=1 AVERAGE=2",
    "ParamSpec.DimCheckMode": _CHECK_MODE,
    "SolverParameter.SnapshotFormat": "HDF5=0 BINARYPROTO=1",
    "SolverParameter.SolverMode": "CPU=0 GPU=1",
    "SolverParameter.SolverType": "SGD=0 NESTEROV=1 ADAGRAD=2 RMSPROP=3 ADADELTA=4 ADAM=5",
    "BatchNormParameter.Engine": _ENGINE,
    "ConvolutionParameter.Engine": _ENGINE,
    "DataParameter.DB": "LEVELDB=0 LMDB=1",
    "EltwiseParameter.EltwiseOp": "PROD=0 SUM=1 MAX=2",
    "HingeLossParameter.Norm": "L1=1 L2=2",
    "LossParameter.NormalizationMode": "FULL=0 VALID=1 BATCH_SIZE=2 NONE=3",
    "LRNParameter.Engine": _ENGINE,
    "LRNParameter.NormRegion": "ACROSS_CHANNELS=0 WITHIN_CHANNEL=1",
    "PoolingParameter.Engine": _ENGINE,
    "PoolingParameter.PoolMethod": _POOL_METHOD,
    "PoolingParameter.RoundMode": "CEIL=0 FLOOR=1",
    "ReductionParameter.ReductionOp": "SUM=1 ASUM=2 SUMSQ=3 MEAN=4",
    "ReLUParameter.Engine": _ENGINE,
    "SigmoidParameter.Engine": _ENGINE,
    "SoftmaxParameter.Engine": _ENGINE,
    "SPPParameter.Engine": _ENGINE,
    "SPPParameter.PoolMethod": _POOL_METHOD,
    "TanHParameter.Engine": _ENGINE,
    "V0LayerParameter.PoolMethod": _POOL_METHOD,
    "V1LayerParameter.DimCheckMode": _CHECK_MODE,
    "V1LayerParameter.LayerType": """
        NONE=0 ACCURACY=1 BNLL=2 CONCAT=3 CONVOLUTION=4 DATA=5 DROPOUT=6 EUCLIDEAN_LOSS=7 FLATTEN=8 HDF5_DATA=9
        HDF5_OUTPUT=10 IM2COL=11 IMAGE_DATA=12 INFOGAIN_LOSS=13 INNER_PRODUCT=14 LRN=15
        MULTINOMIAL_LOGISTIC_LOSS=16 POOLING=17 RELU=18 SIGMOID=19 SOFTMAX=20 SOFTMAX_LOSS=21 SPLIT=22 TANH=23
        WINDOW_DATA=24 ELTWISE=25 POWER=26 SIGMOID_CROSS_ENTROPY_LOSS=27 HINGE_LOSS=28 MEMORY_DATA=29 ARGMAX=30
        THRESHOLD=31 DUMMY_DATA=32 SLICE=33 MVN=34 ABSVAL=35 SILENCE=36 CONTRASTIVE_LOSS=37 EXP=38
        DECONVOLUTION=39""",
}

# Message: its fields as NAME=NUMBER:TYPE, then * if repeated, + if repeated and packed, ! if required.
_MESSAGES = {
    # Blobs and data.
    "BlobShape": "dim=1:int64+",
    "BlobProto": """
        num=1:int32 channels=2:int32 height=3:int32 width=4:int32 data=5:float+ diff=6:float+
        shape=7:BlobShape double_data=8:double+ double_diff=9:double+""",
    "BlobProtoVector": "blobs=1:BlobProto*",
    "Datum": """
        channels=1:int32 height=2:int32 width=3:int32 data=4:bytes label=5:int32 float_data=6:float*
        encoded=7:bool""",
    "FillerParameter": """
        type=1:string value=2:float min=3:float max=4:float mean=5:float std=6:float sparse=7:int32
        variance_norm=8:VarianceNorm""",
    # Nets.
    "NetParameter": """
        name=1:string layers=2:V1LayerParameter* input=3:string* input_dim=4:int32* force_backward=5:bool
        state=6:NetState debug_info=7:bool input_shape=8:BlobShape* layer=100:LayerParameter*""",
    "NetState": "phase=1:Phase level=2:int32 stage=3:string*",
    "NetStateRule": "phase=1:Phase min_level=2:int32 max_level=3:int32 stage=4:string* not_stage=5:string*",
    "ParamSpec": "name=1:string share_mode=2:DimCheckMode lr_mult=3:float decay_mult=4:float",
    "LayerParameter": """
        name=1:string type=2:string bottom=3:string* top=4:string* loss_weight=5:float* param=6:ParamSpec*
        blobs=7:BlobProto* include=8:NetStateRule* exclude=9:NetStateRule* phase=10:Phase
        propagate_down=11:bool*
        transform_param=100:TransformationParameter loss_param=101:LossParameter
        accuracy_param=102:AccuracyParameter argmax_param=103:ArgMaxParameter concat_param=104:ConcatParameter
        contrastive_loss_param=105:ContrastiveLossParameter convolution_param=106:ConvolutionParameter
        data_param=107:DataParameter dropout_param=108:DropoutParameter
        dummy_data_param=109:DummyDataParameter eltwise_param=110:EltwiseParameter exp_param=111:ExpParameter
        hdf5_data_param=112:HDF5DataParameter hdf5_output_param=113:HDF5OutputParameter
        hinge_loss_param=114:HingeLossParameter image_data_param=115:ImageDataParameter
        infogain_loss_param=116:InfogainLossParameter inner_product_param=117:InnerProductParameter
        lrn_param=118:LRNParameter memory_data_param=119:MemoryDataParameter mvn_param=120:MVNParameter
        pooling_param=121:PoolingParameter power_param=122:PowerParameter relu_param=123:ReLUParameter
        sigmoid_param=124:SigmoidParameter softmax_param=125:SoftmaxParameter slice_param=126:SliceParameter
        tanh_param=127:TanHParameter threshold_param=128:ThresholdParameter
        window_data_param=129:WindowDataParameter python_param=130:PythonParameter
        prelu_param=131:PReLUParameter spp_param=132:SPPParameter reshape_param=133:ReshapeParameter
        log_param=134:LogParameter flatten_param=135:FlattenParameter reduction_param=136:ReductionParameter
        embed_param=137:EmbedParameter tile_param=138:TileParameter batch_norm_param=139:BatchNormParameter
        elu_param=140:ELUParameter bias_param=141:BiasParameter scale_param=142:ScaleParameter
        input_param=143:InputParameter crop_param=144:CropParameter parameter_param=145:ParameterParameter
        recurrent_param=146:RecurrentParameter swish_param=147:SwishParameter clip_param=148:ClipParameter""",
    # The layers of older nets. `custom_type`, an addition of fcnlite, is a type that Caffe's enum does not have.
    "V1LayerParameter": """
        layer=1:V0LayerParameter bottom=2:string* top=3:string* name=4:string type=5:LayerType blobs=6:BlobProto*
        blobs_lr=7:float* weight_decay=8:float* include=32:NetStateRule* exclude=33:NetStateRule*
        loss_weight=35:float* param=1001:string* blob_share_mode=1002:DimCheckMode*
        concat_param=9:ConcatParameter convolution_param=10:ConvolutionParameter data_param=11:DataParameter
        dropout_param=12:DropoutParameter hdf5_data_param=13:HDF5DataParameter
        hdf5_output_param=14:HDF5OutputParameter image_data_param=15:ImageDataParameter
        infogain_loss_param=16:InfogainLossParameter inner_product_param=17:InnerProductParameter
        lrn_param=18:LRNParameter pooling_param=19:PoolingParameter window_data_param=20:WindowDataParameter
        power_param=21:PowerParameter memory_data_param=22:MemoryDataParameter argmax_param=23:ArgMaxParameter
        eltwise_param=24:EltwiseParameter threshold_param=25:ThresholdParameter
        dummy_data_param=26:DummyDataParameter accuracy_param=27:AccuracyParameter
        hinge_loss_param=29:HingeLossParameter relu_param=30:ReLUParameter slice_param=31:SliceParameter
        mvn_param=34:MVNParameter transform_param=36:TransformationParameter tanh_param=37:TanHParameter
        sigmoid_param=38:SigmoidParameter softmax_param=39:SoftmaxParameter
        contrastive_loss_param=40:ContrastiveLossParameter exp_param=41:ExpParameter loss_param=42:LossParameter
        custom_type=1003:string""",
    "V0LayerParameter": """
        name=1:string type=2:string num_output=3:uint32 biasterm=4:bool weight_filler=5:FillerParameter
        bias_filler=6:FillerParameter pad=7:uint32 kernelsize=8:uint32 group=9:uint32 stride=10:uint32
        pool=11:PoolMethod dropout_ratio=12:float local_size=13:uint32 alpha=14:float beta=15:float
        source=16:string scale=17:float meanfile=18:string batchsize=19:uint32 cropsize=20:uint32 mirror=21:bool
        k=22:float blobs=50:BlobProto* blobs_lr=51:float* weight_decay=52:float* rand_skip=53:uint32
        det_fg_threshold=54:float det_bg_threshold=55:float det_fg_fraction=56:float det_context_pad=58:uint32
        det_crop_mode=59:string new_num=60:int32 new_channels=61:int32 new_height=62:int32 new_width=63:int32
        shuffle_images=64:bool concat_dim=65:uint32 hdf5_output_param=1001:HDF5OutputParameter""",
    # Solvers.
    "SolverParameter": """
        train_net=1:string test_net=2:string* test_iter=3:int32* test_interval=4:int32 base_lr=5:float
        display=6:int32 max_iter=7:int32 lr_policy=8:string gamma=9:float power=10:float momentum=11:float
        weight_decay=12:float stepsize=13:int32 snapshot=14:int32 snapshot_prefix=15:string
        snapshot_diff=16:bool solver_mode=17:SolverMode device_id=18:int32 test_compute_loss=19:bool
        random_seed=20:int64 train_net_param=21:NetParameter test_net_param=22:NetParameter*
        debug_info=23:bool net=24:string net_param=25:NetParameter train_state=26:NetState
        test_state=27:NetState* snapshot_after_train=28:bool regularization_type=29:string
        solver_type=30:SolverType delta=31:float test_initialization=32:bool average_loss=33:int32
        stepvalue=34:int32* clip_gradients=35:float
        iter_size=36:int32 snapshot_format=37:SnapshotFormat rms_decay=38:float momentum2=39:float
        type=40:string layer_wise_reduce=41:bool weights=42:string*""",
    "SolverState": "iter=1:int32 learned_net=2:string history=3:BlobProto* current_step=4:int32",
    # Options of layers.
    "AccuracyParameter": "top_k=1:uint32 axis=2:int32 ignore_label=3:int32",
    "ArgMaxParameter": "out_max_val=1:bool top_k=2:uint32 axis=3:int32",
    # From scale_filler on: NVIDIA's Caffe.
    "BatchNormParameter": """
        use_global_stats=1:bool moving_average_fraction=2:float eps=3:float scale_filler=5:FillerParameter
        bias_filler=6:FillerParameter scale_bias=7:bool engine=15:Engine""",
    "BiasParameter": "axis=1:int32 num_axes=2:int32 filler=3:FillerParameter",
    "ClipParameter": "min=1:float! max=2:float!",
    "ConcatParameter": "concat_dim=1:uint32 axis=2:int32",
    "ContrastiveLossParameter": "margin=1:float legacy_version=2:bool",
    "ConvolutionParameter": """
        num_output=1:uint32 bias_term=2:bool pad=3:uint32* kernel_size=4:uint32* group=5:uint32
        stride=6:uint32* weight_filler=7:FillerParameter bias_filler=8:FillerParameter pad_h=9:uint32
        pad_w=10:uint32 kernel_h=11:uint32 kernel_w=12:uint32 stride_h=13:uint32 stride_w=14:uint32
        engine=15:Engine axis=16:int32 force_nd_im2col=17:bool dilation=18:uint32*""",
    "CropParameter": "axis=1:int32 offset=2:uint32*",
    "DataParameter": """
        source=1:string scale=2:float mean_file=3:string batch_size=4:uint32 crop_size=5:uint32 mirror=6:bool
        rand_skip=7:uint32 backend=8:DB force_encoded_color=9:bool prefetch=10:uint32""",
    "DropoutParameter": "dropout_ratio=1:float",
    "DummyDataParameter": """
        data_filler=1:FillerParameter* num=2:uint32* channels=3:uint32* height=4:uint32* width=5:uint32*
        shape=6:BlobShape*""",
    "EltwiseParameter": "operation=1:EltwiseOp coeff=2:float* stable_prod_grad=3:bool",
    "ELUParameter": "alpha=1:float",
    "EmbedParameter": """
        num_output=1:uint32 input_dim=2:uint32 bias_term=3:bool weight_filler=4:FillerParameter
        bias_filler=5:FillerParameter""",
    "ExpParameter": "base=1:float scale=2:float shift=3:float",
    "FlattenParameter": "axis=1:int32 end_axis=2:int32",
    "HDF5DataParameter": "source=1:string batch_size=2:uint32 shuffle=3:bool",
    "HDF5OutputParameter": "file_name=1:string",
    "HingeLossParameter": "norm=1:Norm",
    # `images_in_color`, an addition with fcnlite's own number, is a fork's name for is_color.
    "ImageDataParameter": """
        source=1:string scale=2:float mean_file=3:string batch_size=4:uint32 crop_size=5:uint32 mirror=6:bool
        rand_skip=7:uint32 shuffle=8:bool new_height=9:uint32 new_width=10:uint32 is_color=11:bool
        root_folder=12:string images_in_color=1000:bool""",
    "InfogainLossParameter": "source=1:string axis=2:int32",
    "InnerProductParameter": """
        num_output=1:uint32 bias_term=2:bool weight_filler=3:FillerParameter bias_filler=4:FillerParameter
        axis=5:int32 transpose=6:bool""",
    "InputParameter": "shape=1:BlobShape*",
    "LogParameter": "base=1:float scale=2:float shift=3:float",
    "LossParameter": "ignore_label=1:int32 normalize=2:bool normalization=3:NormalizationMode",
    "LRNParameter": """
        local_size=1:uint32 alpha=2:float beta=3:float norm_region=4:NormRegion k=5:float engine=6:Engine""",
    "MemoryDataParameter": "batch_size=1:uint32 channels=2:uint32 height=3:uint32 width=4:uint32",
    "MVNParameter": "normalize_variance=1:bool across_channels=2:bool eps=3:float",
    "ParameterParameter": "shape=1:BlobShape",
    "PoolingParameter": """
        pool=1:PoolMethod kernel_size=2:uint32 stride=3:uint32 pad=4:uint32 kernel_h=5:uint32
        kernel_w=6:uint32 stride_h=7:uint32 stride_w=8:uint32 pad_h=9:uint32 pad_w=10:uint32 engine=11:Engine
        global_pooling=12:bool round_mode=13:RoundMode""",
    "PowerParameter": "power=1:float scale=2:float shift=3:float",
    "PReLUParameter": "filler=1:FillerParameter channel_shared=2:bool",
    "PythonParameter": "module=1:string layer=2:string param_str=3:string share_in_parallel=4:bool",
    "RecurrentParameter": """
        num_output=1:uint32 weight_filler=2:FillerParameter bias_filler=3:FillerParameter debug_info=4:bool
        expose_hidden=5:bool""",
    "ReductionParameter": "operation=1:ReductionOp axis=2:int32 coeff=3:float",
    "ReLUParameter": "negative_slope=1:float engine=2:Engine",
    "ReshapeParameter": "shape=1:BlobShape axis=2:int32 num_axes=3:int32",
    "ScaleParameter": """
        axis=1:int32 num_axes=2:int32 filler=3:FillerParameter bias_term=4:bool
        bias_filler=5:FillerParameter""",
    "SigmoidParameter": "engine=1:Engine",
    "SliceParameter": "slice_dim=1:uint32 slice_point=2:uint32* axis=3:int32",
    "SoftmaxParameter": "engine=1:Engine axis=2:int32",
    "SPPParameter": "pyramid_height=1:uint32 pool=2:PoolMethod engine=6:Engine",
    "SwishParameter": "beta=1:float",
    "TanHParameter": "engine=1:Engine",
    "ThresholdParameter": "threshold=1:float",
    "TileParameter": "axis=1:int32 tiles=2:int32",
    "TransformationParameter": """
        scale=1:float mirror=2:bool crop_size=3:uint32 mean_file=4:string mean_value=5:float*
        force_color=6:bool force_gray=7:bool""",
    "WindowDataParameter": """
        source=1:string scale=2:float mean_file=3:string batch_size=4:uint32 crop_size=5:uint32 mirror=6:bool
        fg_threshold=7:float bg_threshold=8:float fg_fraction=9:float context_pad=10:uint32
        crop_mode=11:string cache_images=12:bool root_folder=13:string""",
}

for _message, _fields in fork_schema.MESSAGES.items():
    _MESSAGES[_message] = f"{_MESSAGES.get(_message, '')} {fork_schema.numbered(_fields, ':')}"
for _enum, _values in fork_schema.ENUMS.items():
    _ENUMS[_enum] = f"{_ENUMS.get(_enum, '')} {fork_schema.numbered(_values, '')}"

_LABELS = {"*": "repeated", "+": "packed", "!": "required"}


@dataclass(frozen=True)
class Field:
    """One field of a message."""

    name: str
    number: int
    type: str
    """A protobuf scalar (`int32`), an enum (`PoolingParameter.PoolMethod`) or a message (`BlobShape`)."""
    label: str
    """optional, required, repeated or packed."""

    @property
    def repeated(self) -> bool:
        return self.label in ("repeated", "packed")

    @property
    def is_message(self) -> bool:
        return self.type in _MESSAGES


@functools.cache
def fields(message: str) -> dict[str, Field]:
    """The fields of a message by name, in the order of their numbers."""
    found = []
    for item in _MESSAGES[message].split():
        name, rest = item.split("=")
        number, kind = rest.split(":")
        label = _LABELS.get(kind[-1], "optional")
        kind = kind.rstrip("*+!")
        inner = f"{message}.{kind}"
        found.append(Field(name, int(number), inner if inner in _ENUMS else kind, label))
    return {each.name: each for each in sorted(found, key=lambda each: each.number)}


@functools.cache
def enum_values(enum: str) -> dict[str, int]:
    """The numbers of an enum's values by name; empty for other types."""
    pairs = (item.split("=") for item in _ENUMS.get(enum, "").split())
    return {name: int(number) for name, number in pairs}


@functools.cache
def message_class(message: str) -> type[Message]:
    """The protobuf class of a message in the table."""
    from google.protobuf.message_factory import GetMessageClass

    return GetMessageClass(_pool().FindMessageTypeByName(f"{PREFIX}{message}"))


@functools.cache
def _pool() -> DescriptorPool:
    """A descriptor pool that holds the table."""
    from google.protobuf.descriptor_pb2 import FieldDescriptorProto, FileDescriptorProto
    from google.protobuf.descriptor_pool import DescriptorPool

    file = FileDescriptorProto(name="fcnlite/caffe.proto", package=PREFIX.rstrip("."), syntax="proto2")
    declared = {name: file.message_type.add(name=name) for name in _MESSAGES}
    for enum in _ENUMS:
        owner, _, name = enum.rpartition(".")
        target = declared[owner].enum_type if owner else file.enum_type
        values = target.add(name=name or enum).value
        for value, number in enum_values(enum).items():
            values.add(name=value, number=number)
    for message, descriptor in declared.items():
        for each in fields(message).values():
            field = descriptor.field.add(name=each.name, number=each.number)
            label = "REPEATED" if each.repeated else each.label.upper()
            field.label = FieldDescriptorProto.Label.Value(f"LABEL_{label}")
            if each.label == "packed":
                field.options.packed = True
            if each.is_message or each.type in _ENUMS:
                # Protobuf itself determines whether a named type is a message or an enum.
                field.type_name = f".{PREFIX}{each.type}"
            else:
                field.type = FieldDescriptorProto.Type.Value(f"TYPE_{each.type.upper()}")
    pool = DescriptorPool()
    pool.AddSerializedFile(file.SerializeToString())
    return pool
