"""Phrases of the chapters, and the chapter that each must find among the first three results."""

MATHEMATICS, PHYSICS, PROBABILITY = (
    f"chapters/{part}/" for part in ("mathematics", "physics", "probability")
)

PHRASES = {
    # Chinese, from one word to a sentence
    "夹角分布": MATHEMATICS + "random_angles",
    "随机向量": MATHEMATICS + "random_angles",
    "高维空间": MATHEMATICS + "random_angles",
    "各向同性": MATHEMATICS + "random_angles",
    "三伽马函数": MATHEMATICS + "random_angles",
    "几乎垂直的方向": MATHEMATICS + "random_angles",
    "夹角就是纬度": MATHEMATICS + "random_angles",
    "二次型": MATHEMATICS + "what_is_a_matrix",
    "线性映射": MATHEMATICS + "what_is_a_matrix",
    "换一个坐标系": MATHEMATICS + "what_is_a_matrix",
    "同一场运动的不同表": MATHEMATICS + "what_is_a_matrix",
    "一张数表，五种读法": MATHEMATICS + "what_is_a_matrix",
    "乘法规则没有别的选择": MATHEMATICS + "what_is_a_matrix",
    "矩阵指数": MATHEMATICS + "det_exp_trace",
    "刘维尔公式": MATHEMATICS + "det_exp_trace",
    "对数行列式": MATHEMATICS + "det_exp_trace",
    "系数会变的流动": MATHEMATICS + "det_exp_trace",
    "积分号里求导": MATHEMATICS + "feynman_integration",
    "莱布尼茨法则": MATHEMATICS + "feynman_integration",
    "阿贝尔求和": MATHEMATICS + "feynman_integration",
    "不能交换": MATHEMATICS + "feynman_integration",
    "外微分": MATHEMATICS + "exterior_calculus",
    "有向面积": MATHEMATICS + "exterior_calculus",
    "求积仪": MATHEMATICS + "exterior_calculus",
    "会变号的乘法": MATHEMATICS + "exterior_calculus",
    "椭圆纸片": MATHEMATICS + "ellipse_gluing",
    "弯曲不改变弧长": MATHEMATICS + "ellipse_gluing",
    "卡皮察势": PHYSICS + "inverted_pendulum",
    "弗洛凯理论": PHYSICS + "inverted_pendulum",
    "马蒂厄方程": PHYSICS + "inverted_pendulum",
    "抖动乘涟漪": PHYSICS + "inverted_pendulum",
    "配套的损失": PROBABILITY + "softmax_alternatives",
    "单调性": PROBABILITY + "softmax_alternatives",
    "只留前k名": PROBABILITY + "softmax_alternatives",
    # the post's title and the name of its series
    "概率分布之路": PROBABILITY + "softmax_alternatives",
    "两个随机向量的夹角分布": MATHEMATICS + "random_angles",
    # English, and names of symbols and functions
    "softmax": PROBABILITY + "softmax_alternatives",
    "sparsemax": PROBABILITY + "softmax_alternatives",
    "entmax": PROBABILITY + "softmax_alternatives",
    "trigamma function": MATHEMATICS + "random_angles",
    "wedge product": MATHEMATICS + "exterior_calculus",
    "Floquet": PHYSICS + "inverted_pendulum",
    "expm": MATHEMATICS + "det_exp_trace",
    # both, and several terms
    "softmax 损失": PROBABILITY + "softmax_alternatives",
    "d的平方是零": MATHEMATICS + "exterior_calculus",
    "修补三：一个δ": MATHEMATICS + "feynman_integration",
    "方差 夹角": MATHEMATICS + "random_angles",
    "行列式 迹": MATHEMATICS + "det_exp_trace",
    # in words that the chapter does not have in a row
    "夹角服从的分布": MATHEMATICS + "random_angles",
    "纸片粘合问题": MATHEMATICS + "ellipse_gluing",
}
