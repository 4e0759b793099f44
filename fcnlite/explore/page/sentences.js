// Sentences of the engine in Chinese. They arise in English, where the fault is found; a page that is in Chinese shows
// those below in Chinese, and says of the others that they are English.

import { language, t } from "./texts.js";

// [the English sentence, the Chinese one]; $1 and so on are its variable parts.
const SENTENCES = [
  // Uploads.
  [/^(.+): is not a picture in a known format \((.+)\)\.$/, "$1：不是已知格式的图片（$2）。"],
  [/^(.+): is a file of weights or a description of a net; .+explore (.+)`\.$/, "$1：这是权重或网络描述文件，而页面只接收图片；请把它传给命令：`python -m fcnlite.explore $2`。"],
  [/^(.+): is damaged \((.+)\); create the file again or leave it out\.$/, "$1：文件已损坏（$2）；请重新生成该文件。"],
  [/^(.+): is too large \(.+; at most (\d+) are read\); make it smaller\.$/, "$1：图片过大，最多读取 $2 个像素；请缩小图片。"],
  [/^(.+): has (\d+×\d+) pixels; the explorer takes up to ([\d,]+); make it smaller\.$/, "$1：有 $2 个像素，探索器最多接收 $3 个；请缩小图片。"],
  [/^(.+): has (\d+) bands? of type (\w+), more than 8 bits; .+$/, "$1：有 $2 个 $3 波段，超过 8 位；此网络需要 8 位灰度或 RGB 图片：请转换，并选择保留的亮度范围。"],
  [/^(.+): is fully transparent .+$/, "$1：完全透明（alpha 全为 0），什么也看不见；请去掉 alpha 通道后保存。"],
  [/^(.+): holds several pictures .+$/, "$1：含有多幅图片（多页，或动画的多帧），只会读取第一幅；请把每幅图片单独存为文件。"],
  [/^(.+): is not a readable \.npy file of numbers \((.+)\)\.$/, "$1：不是可读的数值 .npy 文件（$2）。"],
  [/^(.+): holds (\d+) NaN or infinite values \(no data\); fill them first\.$/, "$1：含有 $2 个 NaN 或无穷值（无数据）；请先填补。"],
  [/^(.+): has (\d+×\d+) pixels, the picture (\d+×\d+); give a label of the picture's size\.$/, "$1：有 $2 个像素，而图片有 $3 个；请给出与图片同尺寸的标签。"],
  [/^(.+): holds the class number (\d+), but the net has (\d+) classes; expected 0 to (\d+), or 255 .+$/, "$1：含有类别号 $2，但网络只有 $3 类；应为 0 至 $4，或 255（不计分的像素）。"],
  [/^(.+): .*must be PNG.*$/, "$1：标签必须是 PNG 或 TIFF 文件，其他格式会改变类别号；请存为 PNG。"],
  [/^(.+): holds colours.*$/, "$1：含有颜色，而标签的每个像素应是类别号；请用调色板或灰度 PNG 保存类别号。"],
  [/^(.+): is a 16-bit file with values up to (\d+); expected 0 to 254, or 255 for void\..*$/, "$1：是 16 位文件，最大值为 $2；应为 0 至 254，或表示忽略的 255。"],
  [/^(.+): cannot be compared, because this net makes no label maps\.$/, "$1：无法比较，因为此网络不产生标签图。"],
  [/^the file has more than (\d+) MB; make the picture smaller\.$/, "文件超过 $1 MB；请缩小图片。"],
  [/^the file took more than (\d+) seconds to arrive; try again\.$/, "文件在 $1 秒内未传完；请重试。"],

  // The explorer.
  [/^no picture is open; drop one, or take the sample\.$/, "没有打开的图片；请拖入一幅，或选用示例。"],
  [/^the sample is in colour, but the net takes (.+); drop a picture of its kind\.$/, "示例是彩色图片，而此网络需要 $1；请拖入相应的图片。"],
  [/^the size (\d+×\d+) is not usable; .+up to ([\d,]+) pixels\.$/, "尺寸 $1 不可用；高宽须为不太小的整数，像素不超过 $2 个。"],
  [/^this net has layers that take one size of pictures only, .+$/, "此网络有只接收固定尺寸的层，因此图片尺寸不变。"],
  [/^this net adds no skips to its scores: .+$/, "此网络的得分没有跳跃连接：得分只来自一处。"],
  [/^the net has (\d+) outputs of four axes \(found: (.+)\), and none is called 'score'; .+$/, "网络有 $1 个四轴输出（找到：$2），且没有名为 score 的输出；需要全卷积网络的一个 N×C×H×W 类别得分。"],
  [/^layer '(.+)' has (\d+) channels here; expected a number from 0 to (\d+)\.$/, "层 $1 在此有 $2 个通道；应为 0 至 $3 的数。"],
  [/^the pixel (\d+), (\d+) is outside a picture of (\d+) rows and (\d+) columns\.$/, "像素 $1, $2 在 $3 行 $4 列的图片之外。"],
  [/^gradients of the loss need a truth; drop one, or choose a class\.$/, "损失的梯度需要真值；请拖入真值，或选择一个类别。"],

  // The process that computes.
  [/^the computation took more than (\d+) seconds and was stopped; (?:open|start) the (picture|training) again\.$/, "计算超过 $1 秒，已被停止；请重新打开图片或重新开始训练。"],
  [/^the computation needed more memory than --max-memory allows and was stopped; .+$/, "计算所需内存超过 --max-memory 的限制，已被停止；请重新打开图片或重新开始训练。"],
  [/^the process that computes has ended; .+$/, "计算进程已结束；请重新打开图片或重新开始训练。"],
  [/^the explorer has too much to do; wait a moment, then try again\.$/, "任务过多；请稍候再试。"],
  [/^there is not enough memory for this; choose a smaller picture\.$/, "内存不足；请选择更小的图片。"],
  [/^the explorer failed at this; .+$/, "探索器执行失败；运行它的终端会显示原因。"],
  [/^.+; reload the page\.$/, "页面与服务器不一致；请重新加载页面。"],

  // The settings of the playground, and its training.
  [/^(\w+) is '?([^']*)'?; expected a number from (\S+) to (\S+)\.$/, "$1 为 $2；应为 $3 至 $4 的数。"],
  [/^(\w+) is '?([^']*)'?; expected a whole number from (\S+) to (\S+)\.$/, "$1 为 $2；应为 $3 至 $4 的整数。"],
  [/^(\w+) is '(.*)'; expected text of up to 200 characters\.$/, "$1 为 $2；应为不超过 200 个字符的文本。"],
  [/^(\w+) is '([^']*)'; expected ([\w-]+(?: or [\w-]+)+)\.$/, "$1 为 $2；应为以下之一：$3。"],
  [/^augment is '(.+)'; the size is a setting of its own, so leave the crop out\.$/, "数据增强为 $1；尺寸另有设置，请去掉 crop。"],
  [/^augmentation '(.+)' is unknown; (.+)$/, "没有名为 $1 的数据增强；$2"],
  [/^unknown setting '(.+?)'; (.+)$/, "未知的设置 $1；$2"],
  [/^the trained trunk has BatchNorm: .+$/, "训练好的主干含有批归一化：请选择 batch_norm=yes，或随机主干。"],
  [/^no training is open, .+$/, "没有打开的训练：无人查看时进程已结束；请重新开始。"],
  [/^layer '(.+)' \(SoftmaxWithLoss\): the labels hold (\d+) at (\d+) of (\d+) positions, but there are (\d+) classes, .+$/, "层 $1（SoftmaxWithLoss）：标签在 $4 个位置中的 $3 处为 $2，但只有 $5 个类别，且没有设置忽略的标签；请忽略该值，或增加类别数。"],
  [/^the loss is (\w+) at iteration (\d+); it began in the (.+) of layer '(.+?)' .+$/, "第 $2 次迭代的损失为 $1，始于层 $4 的 $3。请降低 base_lr，或检查数据和初始权重。"],

  // The doctor's findings, and how to mend them.
  [/^base_lr (\S+) with momentum (\S+) and the loss '(.+)', (?:a mean|a sum over ([\d,]+) pixels), give an effective rate of (\S+) on the mean loss: the net learns nothing\..*$/, "base_lr 为 $1、动量为 $2 时，对平均损失（层 $3）的有效学习率只有 $5：网络什么也学不到。1e-10 至 1e-14 的学习率适用于按像素求和的损失。"],
  [/^base_lr (\S+) with momentum (\S+) and the loss '(.+)', (?:a mean|a sum over ([\d,]+) pixels), give an effective rate of (\S+) on the mean loss: training .*diverges?\.$/, "base_lr 为 $1、动量为 $2 时，对平均损失（层 $3）的有效学习率高达 $5：训练会发散。"],
  [/^Raise base_lr to about (\S+)\.$/, "把 base_lr 提高到约 $1。"],
  [/^Lower base_lr to about (\S+?)(?:, or write .+ in the loss)?\.$/, "把 base_lr 降低到约 $1；损失按像素求和时，也可改用 normalization: VALID。"],
  [/^By the scores '(.+)', every pixel of (.+) is (.+), although the labels have more classes\.$/, "按得分 $1，$2 的每个像素都是 $3，而标签有更多类别。"],
  [/^Train longer or with another rate, and check labels, mean and order of colours\.$/, "训练更久或换一个学习率，并检查标签、均值和颜色顺序。"],
  [/^The weights of (.+) are as a filler draws them; with their BatchNorm they can learn from scratch\.$/, "$1 的权重是随机初值；有批归一化，可以从头学习。"],
  [/^Train the net, or load trained weights\.$/, "训练网络，或载入训练好的权重。"],
  [/^The weights of (.+) are as a filler draws them: no trained weights were loaded into .+$/, "$1 的权重是随机初值：没有载入训练好的权重，而没有批归一化就很难从头学习。"],
  [/^Load a trained classifier's weights with the same layer names .+$/, "载入层名相同的分类网络权重（train: --init）；若有意从头训练，可以继续。"],
  [/^With (.+) the loss is (\S+), but the gradients of all (\d+) layers of the trunk are zero: the trunk learns nothing\.$/, "对 $1，损失为 $2，但主干全部 $3 层的梯度都为零：主干什么也学不到。"],
  [/^See the findings about upsampling and dead layers, .+$/, "请看关于上采样和死亡层的诊断，并检查 propagate_down 或 lr_mult 是否切断了梯度。"],
  [/^The scores '(.+)' are equal for all classes at every pixel of (.+): the score layers (.+) are zero, as when training an FCN starts\.$/, "对 $2，得分 $1 在每个像素上各类都相等：得分层 $3 为零，如同 FCN 训练开始时。"],
  [/^The scores '(.+)' are equal for all classes at every pixel of (.+), although the score layers (.+) are not zero: .+$/, "对 $2，得分 $1 在每个像素上各类都相等，而得分层 $3 不为零：其前的特征已死亡，或其后的层使各类相等。"],
  [/^Train the net; if it is trained already, load its weights with the same layer names\.$/, "训练网络；若已训练过，请载入层名相同的权重。"],
  [/^See the findings about weights, upsampling and dead layers; .+$/, "请看关于权重、上采样和死亡层的诊断；若在训练中出现，请降低 base_lr。"],
  [/^The labels of (.+) hold 255 for void, but the loss '(.+)' treats it as a class \(ignore_label: (\w+)\)\.$/, "$1 的标签用 255 表示忽略区域，但损失 $2 把它当作类别（ignore_label: $3）。"],
  [/^Write `loss_param \{ ignore_label: 255 \}` in the loss\.$/, "在损失层中写 `loss_param { ignore_label: 255 }`。"],
  [/^The labels of (.+) hold (.+), but there are (\d+) classes, 0 to (\d+), and 255 for void\.$/, "$1 的标签含有 $2，但只有 $3 个类别（0 至 $4）和表示忽略的 255。"],
  [/^Map the other values to 255, or give the data set all of its classes\.$/, "把其他值映射为 255，或给数据集补全类别。"],
  [/^No pixel in (.+) is labelled (.+): the net cannot learn what it never sees\.$/, "$1 中没有像素标为 $2：网络无法学会从未见过的类别。"],
  [/^Add pictures of the class, choose another split, or remove the class\.$/, "加入该类别的图片，换一个划分，或去掉该类别；并检查类别号是否错位。"],
  [/^In (.+) few pixels are labelled (.+): they contribute little to the loss\.$/, "$1 中标为 $2 的像素很少：对损失的贡献很小。"],
  [/^Add pictures of these classes, weight them .+$/, "加入这些类别的图片，给它们加权，或接受较低的 IU。"],
  [/^Crop '(.+)' aligns '(.+)' with '(.+)' at offset (\S+), but by the layers' windows, strides and pads it is (\S+) for the \w+: the scores are shifted\.$/, "裁剪 $1 以偏移 $4 把 $2 对齐到 $3，但按各层的窗口、步长和填充应为 $5：得分错位了。"],
  [/^Write `offset: (\d+)`, or compute it with fcnlite\.shapes\.crop_offset\.$/, "写 `offset: $1`，或用 fcnlite.shapes.crop_offset 计算。"],
  [/^Deconvolution '(.+)' is fixed \(lr_mult 0\) but is not bilinear: its filters of (\d+) pixels are off by up to (\S+); the largest bilinear weight is (\S+)\.$/, "反卷积 $1 固定（lr_mult 0）却不是双线性：其 $2 像素的滤波器最多相差 $3；双线性的最大权重为 $4。"],
  [/^The weight of deconvolution '(.+)' is as a random filler draws it: .+$/, "反卷积 $1 的权重是随机初值：在它学会插值之前，得分是乱的。"],
  [/^Deconvolution '(.+)' adds other classes' scores to each class \(([\d,]+) weights off the diagonal are not zero\), .+$/, "反卷积 $1 把其他类别的得分加到每个类别上（对角线外有 $2 个非零权重），且不学习。"],
  [/^Call fcnlite\.surgery\.interp\(net\), or load weights with bilinear filters.*$/, "调用 fcnlite.surgery.interp(net)，或载入双线性滤波器的权重；若有意用其他滤波器，则不必改。"],
  [/^Deconvolution '(.+)' learns \(lr_mult (\S+)\); the paper and the published nets fix the last one\.$/, "反卷积 $1 会学习（lr_mult $2）；论文和发布的网络固定最后一个。"],
  [/^Deconvolution '(.+)' learns \(lr_mult (\S+)\); .+$/, "反卷积 $1 会学习（lr_mult $2）；发布的网络将其固定，论文则没有。"],
  [/^Write `param \{ lr_mult: 0 \}` in the layer, unless you want it to learn\.$/, "在该层中写 `param { lr_mult: 0 }`，除非希望它学习。"],
  [/^(.+): the output is zero for every picture, so that no layer before learns from it\.$/, "$1：对每幅图片输出都为零，其前的层从中什么也学不到。"],
  [/^(.+): more than (\S+) % of the output is zero for every picture\.$/, "$1：对每幅图片，超过 $2 % 的输出为零。"],
  [/^Start with the first of these layers: .+$/, "从其中第一层开始：载入其权重，给偏置正的初值，检查预处理的均值，或用较低的 base_lr 训练。"],
  [/^The standard deviation grows more than (\d+) times from bottom to top of (.+)\.$/, "$2：输出的标准差是输入的 $1 倍以上。"],
  [/^Check the weights of these layers and the scale of the input; .+$/, "检查这些层的权重和输入的缩放；用 msra 初始化这些层。"],
  [/^The range of the input does not fit the weights: .+$/, "输入的范围与权重不符：得分的大小不正常。"],
  [/^Pictures are fed as (.+)\. Set scale .+$/, "图片的输入方式：$1。请把 scale 和 mean 设为训练此网络时的值。"],
  [/^With (.+), the (.+) of layer '(.+?)' .* holds NaN or infinity\.$/, "对 $1，层 $3 的 $2 含有 NaN 或无穷。"],
  [/^With (.+) the loss is (\S+), but the gradients of (.+) are not finite\.$/, "对 $1，损失为 $2，但 $3 的梯度不是有限值。"],
  [/^Lower the loss_weight or normalise the loss, and check the weights\.$/, "降低 loss_weight 或归一化损失，并检查权重。"],
  [/^Load weights that are finite; .+$/, "载入有限的权重；若在训练中出现，请回到之前的检查点并降低 base_lr。"],
  [/^After (\d+) iterations the loss is (\S+) on average \(.+\), the loss of scores that are equal for all classes: ln (\d+) = (\S+)\.$/, "$1 次迭代后平均损失为 $2，即各类得分相等时的损失：ln $3 = $4。"],
  [/^First act on the findings about upsampling, weights and rates; .+$/, "先处理关于上采样、权重和学习率的诊断；若没有，把 base_lr 提高十倍。"],
];

// Parts that vary, as they are in several sentences.
const PHRASES = [
  [/data set '([^']+)' \((\w+), (\d+) of (\d+) pictures read\)/g, "数据集 $1（$2，读取了 $4 幅中的 $3 幅）"],
  [/data set '([^']+)' \((\w+), all (\d+) pictures read\)/g, "数据集 $1（$2，读取了全部 $3 幅）"],
  [/picture '([^']+)'/g, "图片 $1"],
  [/ and (\d+) more/g, "等（另有 $1 个）"],
  [/ and (?=图片)/g, " 和"],
  [/did you mean (.+)\?/, "是否指 $1？"],
  [/ \((\S+) times\)/g, "（$1 倍）"],
  [/ or /g, "、"],
];

/** A sentence of the engine in the chosen language; if it has no Chinese form, in English, which is said. */
export function localized(text) {
  if (language() === "en" || !text) return text;
  const found = SENTENCES.find(([english]) => english.test(text));
  if (!found) return t("inEnglish", { text });
  return PHRASES.reduce((said, [english, chinese]) => said.replace(english, chinese), text.replace(...found));
}
